"""Early and continuous engagement: designs, trade-offs, launches, service reviews, and what reviews cost and bring."""
