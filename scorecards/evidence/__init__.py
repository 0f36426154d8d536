"""What is known of a service: which observation counts, what follows from others, and why one is missing. Pure."""
