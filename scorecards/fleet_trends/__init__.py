"""The scorecards of many services over time, put together: levels and percentages per axis, by day or week."""
