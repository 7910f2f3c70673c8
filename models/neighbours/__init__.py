"""Nearest neighbours: exact and by inverted lists."""
