"""Label maps: volumes whose numbers name regions. Their values must never be averaged: between 4 and 47 lies another organ."""

from __future__ import annotations

import re

import numpy as np

from ..frame import Array

MAX_REGIONS = 512
"""Values of a plane, at most, for it to look like a label map."""
MIN_EQUAL_SHARE = 0.75
"""Share of equal neighbours, pairs of the most frequent value left out, in a label map, at least; noise keeps it below half."""
FEW_REGIONS = 8
"""Up to as many values are labels whatever they are; more of them are a smooth picture where most steps are by 1."""
_NAMED = re.compile(r"_dseg(?=\.)")


def stated_label_map(name: str) -> str:
    """Why a file's name makes it a label map; empty if it does not.

    >>> stated_label_map("sub-01_dseg.nii.gz"), stated_label_map("sub-01_T1w.nii.gz")
    ('BIDS names it dseg', '')
    """
    return "BIDS names it dseg" if _NAMED.search(name) else ""


def looks_labelled(plane: Array) -> bool:
    """Whether a plane (y, x) of whole numbers, of any type, consists of regions of few equal values beside 0.

    Planes of two values are left out: the rounded mean of two neighbours is one of them, or grey as it should be. The most
    frequent value counts as what lies around the regions: in scans that were clipped it is another one than 0.
    """
    values, counts = np.unique(plane, return_counts=True)
    if not 3 <= len(values) <= MAX_REGIONS or 0 not in values or not _is_whole(values):
        return False
    around = int(values[counts.argmax()])
    pairs = [(plane[1:], plane[:-1]), (plane[:, 1:], plane[:, :-1])]
    a, b = (np.concatenate([pair[i].ravel() for pair in pairs]).astype(np.int64) for i in (0, 1))
    inside = (a != around) | (b != around)
    steps = np.abs(a - b)[inside]
    if (steps == 0).mean() < MIN_EQUAL_SHARE:
        return False
    return len(values) <= FEW_REGIONS or float((steps[steps > 0] == 1).mean()) < 0.5


def _is_whole(values: Array) -> bool:
    """Whether values are whole numbers that programs write as labels; many save them as floating-point numbers."""
    if values.dtype.kind in "iu":
        return True
    return values.dtype.kind == "f" and bool((np.abs(values) < 2**31).all() and (values == np.rint(values)).all())
