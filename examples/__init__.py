"""The Shakespeare company: an example organisation, and simulated systems to read it from."""
