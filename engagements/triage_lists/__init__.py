"""The triage lists as they are kept: computed beside the facts, read page by page, dismissed, compared over time."""
