"""What SRE does about it: support tiers, engagement history and triage."""
