"""The history for other programs: a table (CSV) and a calendar (iCalendar)."""
