"""Two scans of one subject: in register on one grid, else registered and interpolated once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter
from scipy.spatial.transform import Rotation

from tile_engine.engine.steps.volumes.align import LaidVolume
from tile_engine.engine.steps.volumes.pairs import laid_onto, lies_on
from tile_engine.stores.frame import Array, Frame
from tile_engine.stores.placement import Placement

SHAPE = (36, 40, 38)
FRAME = Frame(("z", "y", "x"), SHAPE, (4000.0,) * 3)


def head() -> tuple[Array, Array]:
    """A textured ellipsoid and its mask."""
    z, y, x = np.indices(SHAPE)
    mask = ((z - 17) / 12) ** 2 + ((y - 20) / 15) ** 2 + ((x - 19) / 11) ** 2 < 1
    texture = gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 2)
    return ((1 + 4 * texture) * mask).astype(np.float32), mask


def test_scans_on_one_grid_are_left_as_they_are() -> None:
    values, mask = head()
    other = LaidVolume(values[::-1].copy(), replace(FRAME, origin=(10.0, 0.0, 0.0)))
    assert lies_on(LaidVolume(values, FRAME), other)
    again, same = laid_onto(LaidVolume(values, FRAME), other, mask, name="a")
    np.testing.assert_array_equal(again, values[::-1])
    np.testing.assert_array_equal(same, mask)


def test_a_moved_head_is_laid_back_and_its_mask_with_it() -> None:
    values, mask = head()
    turn = Rotation.from_euler("xyz", (4, -3, 5), degrees=True).as_matrix()
    centre, shift = np.array([17.0, 20.0, 19.0]), np.array([1.5, -2.0, 1.0])
    where = {"matrix": turn, "offset": centre - turn @ (centre + shift), "output_shape": (40, 44, 42)}
    moved = affine_transform(values, order=3, **where)
    moved_mask = affine_transform(mask.astype(np.uint8), order=0, **where) > 0
    frame = Frame(FRAME.axes, moved.shape, FRAME.spacing, (5000.0, -3000.0, 1000.0))
    fixed, moving = LaidVolume(values, FRAME), LaidVolume(moved, frame)
    assert not lies_on(fixed, moving)
    again, again_mask = laid_onto(fixed, moving, moved_mask, name="a")
    assert np.corrcoef(again[mask], values[mask])[0, 1] > 0.95
    assert (again_mask & mask).sum() / (again_mask | mask).sum() > 0.95


def test_an_oblique_grid_at_another_place_is_another_grid() -> None:
    values, _ = head()
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("x", 10, degrees=True).as_matrix()
    oblique = Placement(turned, False)
    assert not lies_on(LaidVolume(values, FRAME), LaidVolume(values, FRAME, oblique))
    assert lies_on(LaidVolume(values, FRAME, oblique), LaidVolume(values, FRAME, oblique))
