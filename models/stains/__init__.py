"""stains: how slides are stained, which of them are stained alike, and normalisation of patches to one slide."""
