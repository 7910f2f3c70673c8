"""slides: whole-slide images and plain pictures as sources."""
