"""What SRE can carry: teams with their limits, the ledger of what uses them, and the plan that respects them."""
