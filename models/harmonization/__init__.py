"""Harmonization of scans of several sites without a network: what a learned model is compared with."""
