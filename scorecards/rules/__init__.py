"""The condition tree of a check and its operators. Pure."""
