"""cli: parses, makes one call into the engine, prints. No logic."""
