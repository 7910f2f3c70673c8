"""A layer on the grid of its source: labels exactly, values as scipy interpolates them, block by block as at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine.stores import regrid
from tile_engine.stores.frame import Frame
from tile_engine.stores.image import ImageSpec, StoredImage
from tile_engine.stores.regrid import Regridded, is_same_grid, runs

Array = np.ndarray[Any, Any]
AXES = ("z", "y", "x")
FINE = Frame(AXES, (9, 14, 13), (3000.0, 2000.0, 1000.0), (-70.5, 12.25, 33.0))
COARSE = FINE.coarsen((4, 3, 5))


def stored(folder: Path, values: Array, frame: Frame = COARSE, fill: int = 0) -> StoredImage:
    """An image of (channel, z, y, x)."""
    spec = ImageSpec((frame,), values.shape[0], values.dtype.name, (4,) * 3, (4,) * 3, fill)
    image = StoredImage.create(folder / "layer", spec)
    for box in frame.box.cut(image.shard(0)):
        image.write(0, box, values[(slice(None), *box.slices)])
    image.finish(name="layer", reference=(0.0,) * 3)
    return StoredImage.open(folder / "layer")


def whole(layer: Regridded, channel: int = 0) -> Array:
    """The layer on its frame, put together from blocks that cover it in C order."""
    parts = [layer.read(channel, box).ravel() for box in runs(layer.frame.shape, layer.block_cells)]
    return np.concatenate(parts).reshape(layer.frame.shape)


def by_hand(values: Array, frame: Frame) -> Array:
    """Nearest cells, index by index."""
    factors = [round(s / t) for s, t in zip(COARSE.spacing, frame.spacing, strict=True)]
    return values[np.ix_(*(np.arange(n) // f for n, f in zip(frame.shape, factors, strict=True)))]


@pytest.mark.parametrize("memory", [10**9, 4000, 20])
def test_labels_are_those_of_the_nearest_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int) -> None:
    monkeypatch.setattr(regrid, "BLOCK_BYTES", memory)
    labels = np.random.default_rng(0).integers(0, 40_000, COARSE.shape).astype(np.uint16)
    layer = Regridded(stored(tmp_path, labels[None]), FINE, nearest=True)
    found = whole(layer)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, by_hand(labels, FINE))


@pytest.mark.parametrize("memory", [10**9, 5000])
def test_values_are_interpolated_as_scipy_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int) -> None:
    from scipy.ndimage import map_coordinates

    monkeypatch.setattr(regrid, "BLOCK_BYTES", memory)
    values = np.random.default_rng(1).uniform(1, 2, (2, *COARSE.shape)).astype(np.float32)
    layer = Regridded(stored(tmp_path, values), FINE, nearest=False)
    at = [(FINE.centres(a) - COARSE.origin[a]) / COARSE.spacing[a] - 0.5 for a in range(3)]
    expected = map_coordinates(values[1], np.meshgrid(*at, indexing="ij"), order=1, mode="nearest")
    np.testing.assert_allclose(whole(layer, 1), expected, atol=1e-5)


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_cells_that_were_never_computed_have_no_part_in_a_mean(tmp_path: Path, nothing: float) -> None:
    values = np.full(COARSE.shape, 0.75, np.float32)
    values[0] = nothing
    values[:, 2, 1] = nothing
    values[1, 0, 0] = 1
    found = whole(Regridded(stored(tmp_path, values[None]), FINE, nearest=False))
    expected = by_hand(values, FINE)
    np.testing.assert_array_equal((found > 0), (expected > 0))
    np.testing.assert_allclose(found[:, 6:], expected[:, 6:], atol=1e-6)
    assert np.nanmax(found) <= 1


def test_a_layer_on_the_same_grid_is_read_as_it_is(tmp_path: Path) -> None:
    values = np.random.default_rng(2).normal(size=(1, *FINE.shape)).astype(np.float16)
    found = whole(Regridded(stored(tmp_path, values, FINE), FINE, nearest=False))
    assert found.dtype == np.float16 and np.array_equal(found, values[0])


def test_beyond_a_layer_is_background(tmp_path: Path) -> None:
    labels = np.ones((1, *COARSE.shape), np.uint8)
    wider = replace(FINE, shape=(20, 14, 13), origin=(FINE.origin[0] - 6000.0, *FINE.origin[1:]))
    found = whole(Regridded(stored(tmp_path, labels), wider, nearest=True))
    assert not found[:2].any() and found[2:14].all() and not found[14:].any()


def test_blocks_cover_the_frame_in_order_and_stay_below_the_limit() -> None:
    flat = np.arange(FINE.box.size).reshape(FINE.shape)
    for cells in (1, 5, 13, 40, 182, 500, 10**6):
        boxes = list(runs(FINE.shape, cells))
        assert all(box.size <= cells for box in boxes)
        np.testing.assert_array_equal(np.concatenate([flat[box.slices].ravel() for box in boxes]), flat.ravel())


def test_grids_are_the_same_up_to_rounding() -> None:
    assert is_same_grid(FINE, replace(FINE, origin=tuple(o + 1e-6 for o in FINE.origin)))
    assert not is_same_grid(FINE, replace(FINE, origin=tuple(o + 100 for o in FINE.origin)))
    assert not is_same_grid(FINE, COARSE)
