"""What exists: entities, their locations and relations, in Backstage's terms."""
