"""The checks: their definitions, the default catalogue beside this file, and how catalogues are loaded."""
