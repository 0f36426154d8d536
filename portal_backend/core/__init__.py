"""The foundation: database, errors, HTTP, identity, configuration, clock. Imports nothing of ours."""
