"""Tells other systems when levels change: subscriptions, a queue of deliveries, signed requests."""
