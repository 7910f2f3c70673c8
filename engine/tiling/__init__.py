"""Tiling: tiles of an image, the plan of a computation over them, and its execution."""
