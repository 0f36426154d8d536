"""Reads scorecards of other products.

Each rule becomes a check of ours, with the same levels and weights as far as both have them. What a rule computes by
means that we have not (a jq program, a function of a query language) becomes a fact that its system has to supply; so
nothing is dropped, and the draft says of each what it needs.
"""
