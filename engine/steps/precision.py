"""precision: how many tiles keep their cluster where the network computes in float32, of a run that applies it in bf16."""

from __future__ import annotations

import numpy as np

from ...stores.frame import Array, Box
from ..compute.patch_network import PatchNetwork
from ..tiling.plan import Plan
from ..tiling.tile import Tiles
from .sample.read import read_patches

EVERY = 64
"""One tile in so many is computed in float32, too."""


def same_in_float32(plan: Plan, network: PatchNetwork, box: Box, fine: Array) -> tuple[int, int]:
    """(tiles of a unit that are computed in float32, too; those of them whose fine cluster is the same).

    `fine` are the stored fine clusters of the unit's cells, from 1, and 0 for cells without a tile.
    """
    tiles = Tiles.of(plan.tiles(box))
    step, halo = np.array(network.stride), np.array(network.halo)
    cells = (tiles.starts + halo) // step - np.array(box.start) // step
    stored = fine[tuple(cells.T)] if len(tiles) else np.zeros(0, fine.dtype)
    rows = np.flatnonzero(stored)[::EVERY]
    if not len(rows):
        return 0, 0
    starts = tiles.starts[rows]
    pixels = plan.prepare(read_patches(plan.source, starts, network.patch), starts)
    return len(rows), int((network.assigned_in_float32(pixels) == stored[rows]).sum())
