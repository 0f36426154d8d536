"""Catalog files of a whole GitHub organisation or GitLab group: found by asking its host, registered, and let go."""
