"""What is learned and passed on: advice, lessons, the production guide, production meetings."""
