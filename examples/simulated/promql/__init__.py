"""A subset of PromQL, evaluated as Prometheus does; what is outside the subset is refused, never guessed."""
