"""The history held together: refused changes, and a chain of hashes that shows those that were made all the same."""
