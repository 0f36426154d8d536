"""Engagements: what SRE and a service's developers do together, from the first request to handing back."""
