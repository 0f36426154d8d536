"""Registered locations as Backstage's clients manage them, and what is asked of single entities and descriptors."""
