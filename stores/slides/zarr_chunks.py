"""Zarr chunks: which chunks of an array were never written. Reading gives the fill value there, so pixels do not tell."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..frame import Array


def missing_chunks(folder: Path, array: Any, axes: Sequence[str], *, rgb: bool) -> tuple[Array, tuple[int, int]]:
    """(bool (rows, columns): whether the chunk is missing, height and width of a chunk).

    Of an RGB image it is missing if one channel lacks it, as the colours are wrong then; else if all channels lack it, as
    writers leave out chunks in which a marker is nowhere. Shards count as chunks. Of the axes t and z the first plane is
    looked at.
    """
    sizes = dict(zip(axes, array.shards or array.chunks, strict=True))
    counts = {a: -(-n // sizes[a]) for a, n in zip(axes, array.shape, strict=True)}
    missing = np.zeros((counts["y"], counts["x"]), bool)
    for row, column in np.ndindex(*missing.shape):
        at = {"t": [0], "z": [0], "y": [row], "x": [column], "c": range(counts.get("c", 1))}
        keys = (array.metadata.encode_chunk_key(index) for index in itertools.product(*(at[axis] for axis in axes)))
        there = [(folder / key).exists() for key in keys]
        missing[row, column] = not all(there) if rgb else not any(there)
    return missing, (sizes["y"], sizes["x"])
