"""A function of patches in a plan: each tile's values land on its cell, whatever the batch and the number of axes."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tile_engine.engine.tiling.execute import run
from tile_engine.engine.tiling.patch_function import PatchFunction
from tile_engine.engine.tiling.plan import Numerics, Plan
from tile_engine.engine.tiling.samplers import grid
from tile_engine.stores.memory import MemoryLayer, MemorySource


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("batch", [1, 5])
def test_a_cell_holds_the_function_of_the_patch_around_it(axes: int, batch: int) -> None:
    shape = (12, 16, 8)[:axes]
    pixels = np.random.default_rng(axes).integers(0, 255, (2, *shape), np.uint8)
    source = MemorySource(pixels)
    spatial = tuple(range(2, 2 + axes))
    model = PatchFunction(lambda p: {"mean": p.mean(spatial)}, {"mean": (2, "float32")}, (8,) * axes, (4,) * axes)
    cells = source.frames[0].coarsen(model.stride)
    layer = MemoryLayer(cells, chunks=cells.shape, channels=2, dtype="float32")
    tiles = partial(grid, shape=model.stride, halo=model.halo)
    run(Plan(source, tiles, model, {"mean": layer}, shape, numerics=Numerics(batch=batch)))
    padded = np.pad(pixels, [(0, 0)] + [(2, 2)] * axes, constant_values=source.background)
    for cell in np.ndindex(*cells.shape):
        patch = padded[:, *(slice(4 * a, 4 * a + 8) for a in cell)]
        np.testing.assert_allclose(layer.values[:, *cell], patch.reshape(2, -1).mean(1), rtol=1e-6)
