"""How catalog files are written: YAML as Backstage reads it, the envelope, the kinds and their relations. Pure."""
