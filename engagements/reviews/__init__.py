"""What a review consists of: checklist, findings, improvements, plans, design reviews, launches, continuous review."""
