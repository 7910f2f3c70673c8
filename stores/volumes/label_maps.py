"""Label maps: volumes whose numbers name regions. Their values must never be averaged: between 4 and 47 lies another organ."""

from __future__ import annotations

import re

import numpy as np

from ..frame import Array

MAX_REGIONS = 512
"""Values of a plane, at most, for it to look like a label map."""
MIN_EQUAL_SHARE = 0.75
"""Share of neighbouring cells, not both 0, that are equal in a label map, at least; in a scan noise keeps it below a half."""
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
    """Whether an integer plane (y, x) consists of regions of few equal values beside 0.

    Planes of two values are left out: the rounded mean of two neighbours is one of them, or grey as it should be.
    """
    if plane.dtype.kind not in "iu" or not 3 <= len(values := np.unique(plane)) <= MAX_REGIONS or 0 not in values:
        return False
    pairs = [(plane[1:], plane[:-1]), (plane[:, 1:], plane[:, :-1])]
    a, b = (np.concatenate([pair[i].ravel() for pair in pairs]).astype(np.int64) for i in (0, 1))
    inside = (a != 0) | (b != 0)
    steps = np.abs(a - b)[inside]
    if (steps == 0).mean() < MIN_EQUAL_SHARE:
        return False
    return len(values) <= FEW_REGIONS or float((steps[steps > 0] == 1).mean()) < 0.5
