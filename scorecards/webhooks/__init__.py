"""Tells other systems when a service's level changes: subscriptions, a queue of deliveries, signed requests."""
