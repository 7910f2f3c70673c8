"""Views: random variants of patches, cubes and volumes."""
