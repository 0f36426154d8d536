"""How ready each service is: facts, checks, verdicts and levels on the six SRE concern axes."""
