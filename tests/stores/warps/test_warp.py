"""Warps: points there and back, laws of composition, folding, and the way to a file and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from tile_engine.errors import CorruptError
from tile_engine.stores.frame import Array, Frame
from tile_engine.stores.warps.stored import accepted, read_warp, write_warp
from tile_engine.stores.warps.warp import Warp, WarpPart, warp_of_pixels

GRID = Frame(("y", "x"), (18, 20), (64.0, 64.0), (-32.0, -32.0))
AFFINE = np.array([[0.95, 0.2, 30.0], [-0.18, 1.02, -12.0]])


def bent(strength: float = 40.0, seed: int = 0) -> Warp:
    """An affine map after a smooth field of up to `strength` micrometres."""
    draw = np.random.default_rng(seed)
    field = np.stack([ndimage.gaussian_filter(draw.normal(0, 1, GRID.shape), 2) for _ in range(2)])
    return Warp((WarpPart(AFFINE, (field / abs(field).max() * strength).astype(np.float32), GRID),))


def points(n: int = 400) -> Array:
    return np.random.default_rng(1).uniform(-100, 1250, (n, 2))


def test_a_point_comes_back_within_a_thousandth_of_a_micrometre() -> None:
    for warp in (Warp.of_affine(AFFINE), bent(), bent(60), bent().then(bent(20, seed=3))):
        assert warp.folding == 0
        back = warp.to_reference(warp.to_moving(points()))
        assert np.abs(back - points()).max() < 1e-2


def test_composing_is_one_map_after_the_other() -> None:
    first, second = bent(), Warp.of_affine([[0, 1, 5], [-1, 0, 7]])
    assert np.allclose(first.then(second).to_moving(points()), second.to_moving(first.to_moving(points())))


def test_an_inverse_goes_the_other_way_and_is_not_composed() -> None:
    warp = bent()
    assert np.array_equal(warp.inverse().to_moving(points()), warp.to_reference(points()))
    assert warp.inverse().inverse() == warp
    with pytest.raises(ValueError, match="inverted"):
        warp.inverse().then(warp)


@pytest.mark.parametrize("slope", [-0.7, -0.93, -0.95])
def test_a_field_that_squeezes_has_its_inverse_everywhere(slope: float) -> None:
    """Along each axis the section is squeezed to 1 + slope of its width and stretched again, inside of the grid and beyond."""
    field = np.zeros((2, *GRID.shape), np.float32)
    field[0] = (slope * np.abs(np.arange(18) % 6 - 3) * 64)[:, None]
    field[1] = slope * np.abs(np.arange(20) % 8 - 4) * 64
    warp = Warp((WarpPart(AFFINE, field, GRID),))
    assert warp.folding == 0
    assert warp.parts[0].determinants().min() == pytest.approx((1 + slope) ** 2, rel=1e-3)
    back = warp.to_reference(warp.to_moving(points()))
    assert np.abs(back - points()).max() < 0.1  # NaN would fail
    assert np.abs(warp.to_moving(back) - warp.to_moving(points())).max() < 1e-3


def test_a_field_that_folds_is_counted_and_a_position_has_one_of_its_places() -> None:
    x = np.arange(GRID.shape[1]) * GRID.spacing[1]
    field = np.zeros((2, *GRID.shape), np.float32)
    field[1] = -1.5 * (x - 320) * ((x > 320) & (x < 640))
    warp = Warp((WarpPart(np.eye(2, 3), field, GRID),))
    share = (np.diff(x + field[1], axis=1) <= 0).mean()
    assert warp.folding == pytest.approx(share)
    goal = np.stack([np.full(50, 500.0), np.linspace(150, 300, 50)], 1)
    assert np.abs(warp.to_moving(warp.to_reference(goal)) - goal).max() < 1e-2
    goal[3, 0] = np.nan
    assert np.isnan(warp.to_reference(goal)).all(1).tolist() == [n == 3 for n in range(50)]


def test_pixels_of_overviews_become_micrometres() -> None:
    reference, moving = Frame(("y", "x"), (50, 50), (2.0, 2.0), (10.0, 0.0)), Frame(("y", "x"), (50, 50), (4.0, 4.0))
    field = np.full((2, 3, 3), 1.5, np.float32)
    warp = warp_of_pixels(
        np.array([[0.5, 0, 3], [0, 0.5, 0]]), field, stride=20, origin=(0, 0), reference=reference, moving=moving
    )
    pixel = np.array([[4.0, 6.0]])  # -> + 1.5 -> [5.75, 3.75] of the moving overview
    assert np.allclose(warp.to_moving((pixel + 0.5) * 2 + [10, 0]), [[(5.75 + 0.5) * 4, (3.75 + 0.5) * 4]])


def test_a_stored_warp_is_the_same_and_states_its_units(tmp_path: Path) -> None:
    files = write_warp(tmp_path / "w.zarr", bent(), name="one", accepted=False)
    assert all(one.path.exists() for one in files)
    read = read_warp(tmp_path / "w.zarr")
    assert np.array_equal(read.to_moving(points()), bent().to_moving(points()))
    assert not accepted(tmp_path / "w.zarr")
    axes = json.loads((tmp_path / "w.zarr" / "zarr.json").read_text())["attributes"]["ome"]["multiscales"][0]["axes"]
    assert [axis.get("unit") for axis in axes] == [None, "micrometer", "micrometer"]
    write_warp(tmp_path / "a.zarr", Warp.of_affine(AFFINE), name="affine")
    assert np.array_equal(
        read_warp(tmp_path / "a.zarr").to_moving(points()), Warp.of_affine(AFFINE).to_moving(points())
    )


def test_what_is_no_warp_is_refused(tmp_path: Path) -> None:
    write_warp(tmp_path / "w.zarr", bent(), name="one")
    document = tmp_path / "w.zarr" / "zarr.json"
    whole = json.loads(document.read_text())
    whole["attributes"]["tile_engine"]["warp"]["affine"] = [[1, 0, 0], [1, 0, 0]]
    document.write_text(json.dumps(whole))
    with pytest.raises(CorruptError, match="not the warp"):
        read_warp(tmp_path / "w.zarr")
    with pytest.raises(ValueError, match="one part"):
        write_warp(tmp_path / "x.zarr", bent().then(bent()), name="two")
