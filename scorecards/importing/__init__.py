"""Makes checks of ours of what others wrote: Markdown checklists, and the scorecards of other products."""
