"""Scorecards as small SVG pictures for READMEs and dashboards: a badge, a radar of the six axes, a trend."""
