"""What a changed catalogue of checks would do, before it does it: nothing here is ever written."""
