"""patch_sheet: the patches of all levels of a tree of clusters as one small picture, and which of them show which cluster.

Random patches of a cluster are those of its fine clusters, so they are stored once for all levels. Centre and border depend on
the level: every cluster of the tree has its own patches there.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np

from ...stores.frame import Array
from .picture import Picture

SIDE, COLUMNS = 64, 20
"""Pixels of a patch on the sheet; patches in a row."""
QUALITY = 75
"""JPEG quality, 0 to 100."""


@dataclass(frozen=True, slots=True)
class PatchSheet:
    """A picture of patches, row by row, with the indices of those that show each cluster."""

    source: str
    """JPEG as a `data:` URL."""
    side: int
    columns: int
    central: dict[str, tuple[int, ...]]
    """"number@level" -> indices, nearest to its centre first; the level from which the cluster is as it is."""
    random: dict[int, tuple[tuple[int, int], ...]]
    """Number at the finest level -> (index, rank); the lowest ranks of several fine clusters are a random sample of these."""
    border: dict[str, tuple[tuple[int, int], ...]]
    """"number@level" -> (index, number at the finest level beyond the border); the level from which the cluster is as it is."""


def sheet_picture(patches: Array) -> str:
    """Patches, uint8 (n, y, x, 3), on one sheet, as the `data:` URL of a JPEG."""
    from PIL import Image

    rows = max(1, -(-len(patches) // COLUMNS))
    sheet = np.full((rows * SIDE, COLUMNS * SIDE, 3), 255, np.uint8)
    for i, patch in enumerate(patches):
        y, x = i // COLUMNS * SIDE, i % COLUMNS * SIDE
        small = Picture(patch, 1.0).fitted(SIDE).rgb
        sheet[y : y + small.shape[0], x : x + small.shape[1]] = small
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
