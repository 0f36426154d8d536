"""Evidence that no source measures, and exceptions: attestations, waivers, and what framework modules pass on."""
