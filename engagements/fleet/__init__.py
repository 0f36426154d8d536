"""Questions about the whole fleet, each answered with its numbers, its period and its method."""
