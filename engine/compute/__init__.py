"""Compute: what this machine has, and networks on its devices."""
