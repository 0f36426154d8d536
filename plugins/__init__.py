"""Where observations come from: the connector contract, its HTTP client, and the configured sources."""
