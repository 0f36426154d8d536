"""Scorecards as CSV, for spreadsheets and for what reads tables."""
