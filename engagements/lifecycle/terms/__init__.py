"""The terms of an engagement, from the agreement to handing back."""
