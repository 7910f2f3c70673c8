"""cli: parses arguments, makes one call into the engine and prints the result. It contains no logic."""
