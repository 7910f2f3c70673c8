"""stains: how slides are stained, which of them are stained alike, and normalisation of patches to one slide."""

MIN_TISSUE_MM2 = 4.0
"""Stained tissue, in mm2, from which the stain is told from the tissue: a quarter of a section. Of pairs of smaller fields of
one section, a fifth count as stained differently (benchmarks/stains.py), and normalising them would change their tissue."""
