"""Tiling: tiles of an image, the plan of what is done to them, and its execution."""
