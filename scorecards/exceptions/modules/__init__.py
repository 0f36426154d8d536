"""Framework modules: their releases, the services built on them, and the checks that those pass by it."""
