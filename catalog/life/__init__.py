"""What happened to entities, and which of them never came to life."""
