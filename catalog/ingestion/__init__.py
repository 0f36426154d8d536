"""From locations to stored entities: read, follow, compare, write."""
