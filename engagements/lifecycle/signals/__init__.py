"""What asks for people: what is due or overdue, and which services are candidates for early engagement."""
