"""The plan: which service gets which support from which team, within what the teams can carry. Pure."""
