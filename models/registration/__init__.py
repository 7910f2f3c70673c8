"""registration: a section of one stain laid over a section of another, from two overviews."""
