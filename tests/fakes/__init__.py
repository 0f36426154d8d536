"""Stateful doubles of other systems: real sockets, every request and answer held against the vendor's own document."""
