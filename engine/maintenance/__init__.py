"""Maintenance: what a file or a folder holds, how far a run is, whether its files are sound, and their repair."""
