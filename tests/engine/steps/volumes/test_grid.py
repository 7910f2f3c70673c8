"""Preparation: what networks of volumes see of them."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.engine.steps.volumes.grid import Grid, Pose, grid_to_volume, prepared
from tile_engine.errors import SlideError
from tile_engine.stores.frame import Frame

AXES = ("z", "y", "x")


def ball(shape: tuple[int, ...], centre: tuple[float, ...], radius: float, spacing: float) -> np.ndarray:
    """Brightness falls off from its centre; micrometres."""
    at = np.meshgrid(*[(np.arange(n) + 0.5) * spacing for n in shape], indexing="ij")
    away = np.sqrt(sum((a - c) ** 2 for a, c in zip(at, centre, strict=True)))
    return np.clip(1 - away / radius, 0, None).astype(np.float32) * 900


def test_on_its_own_grid_nothing_is_interpolated() -> None:
    values = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    cells, (low, high) = prepared(
        values, np.ones(values.shape, bool), Frame(AXES, (4, 5, 6), (1, 1, 1)), Grid((6, 4, 6), (1, 1, 1), whole=True)
    )
    assert cells.shape == (6, 4, 6) and cells.dtype == np.uint16
    wanted = ((values - low) / (high - low)).clip(0, 1)[:, 0:4]
    np.testing.assert_allclose(cells[1:5] / 65535, wanted, atol=1e-5)
    assert not cells[0].any() and not cells[5].any()


def test_an_exact_grid_moves_the_mask_by_whole_cells_and_interpolates_nothing() -> None:
    values = np.random.default_rng(0).random((12, 13, 14)).astype(np.float32)
    mask = np.zeros(values.shape, bool)
    mask[1:6, 4:12, 7:14] = True
    frame, grid = Frame(AXES, values.shape, (1000.0,) * 3), Grid((8, 6, 9), (1000.0,) * 3, exact=True)
    cells, (low, high) = prepared(values, mask, frame, grid)
    scaled = np.pad(np.where(mask, (values - low) / (high - low), 0).clip(0, 1), 4)
    first = (0, 5, 6)  # middles 3.5, 8 and 10.5 of the mask become the middle of the grid
    expected = scaled[tuple(slice(4 + f, 4 + f + n) for f, n in zip(first, grid.shape, strict=True))]
    np.testing.assert_allclose(cells / 65535, expected, atol=1e-5)
    other = Grid((8, 6, 9), (1500.0,) * 3, exact=True)
    resampled = Grid((8, 6, 9), (1500.0,) * 3)
    np.testing.assert_array_equal(prepared(values, mask, frame, other)[0], prepared(values, mask, frame, resampled)[0])


@pytest.mark.parametrize("spacing", [1000.0, 1500.0, 700.0])
def test_the_same_head_looks_the_same_at_any_spacing_and_place(spacing: float) -> None:
    grid = Grid((24, 24, 24), (2000.0,) * 3)
    seen = []
    for extent, centre in ((60_000, (30_000.0,) * 3), (66_000, (31_000.0, 35_500.0, 29_000.0))):
        shape = (round(extent / spacing),) * 3
        values = ball(shape, centre, 20_000, spacing)
        cells, _ = prepared(values, values > 0, Frame(AXES, shape, (spacing,) * 3), grid)
        seen.append(cells / 65535)
    assert np.abs(seen[0] - seen[1]).max() < 0.08
    middle = np.array(np.unravel_index(seen[0].argmax(), (24, 24, 24)))
    assert (np.abs(middle - 11.5) <= 1).all()


def test_a_pose_moves_what_is_seen() -> None:
    spacing, shape = 1000.0, (40, 40, 40)
    frame = Frame(AXES, shape, (spacing,) * 3)
    template = ball(shape, (20_000.0,) * 3, 12_000, spacing)
    moved = ball(shape, (23_000.0, 16_000.0, 20_000.0), 12_000, spacing)
    shift = np.eye(4)
    shift[:3, 3] = (3000, -4000, 0)
    grid = Grid((32, 32, 32), (spacing,) * 3)
    still, _ = prepared(template, template > 0, frame, grid, Pose(np.eye(4), (20_000.0,) * 3))
    again, _ = prepared(moved, moved > 0, frame, grid, Pose(shift, (20_000.0,) * 3))
    assert np.abs(still.astype(int) - again).max() < 0.02 * 65535


def test_shapes_of_one_value_are_seen() -> None:
    values = np.zeros((8, 8, 8), np.uint8)
    values[2:6, 2:6, 2:6] = 1
    cells, ends = prepared(
        values, values > 0, Frame(AXES, (8, 8, 8), (1, 1, 1)), Grid((8, 8, 8), (1, 1, 1), whole=True)
    )
    assert set(np.unique(cells)) == {0, 65535} and tuple(ends) == (0, 1)


def test_what_has_no_difference_in_it_is_refused() -> None:
    frame, grid = Frame(AXES, (4, 4, 4), (1, 1, 1)), Grid((4, 4, 4), (1, 1, 1), whole=True)
    with pytest.raises(SlideError) as caught:
        prepared(np.full((4, 4, 4), 3.0), np.ones((4, 4, 4), bool), frame, grid)
    assert caught.value.code == "E_DEGENERATE"
    with pytest.raises(SlideError, match="mask of the volume is empty"):
        prepared(np.ones((4, 4, 4)), np.zeros((4, 4, 4), bool), frame, grid)


def test_alignment_finds_a_head_that_was_moved(tmp_path) -> None:  # type: ignore[no-untyped-def]
    import nibabel

    from tile_engine.engine.steps.volumes.align import pose_on

    shape, spacing = (40, 44, 40), 4000.0
    at = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")

    def head(offset: tuple[float, ...]) -> np.ndarray:
        z, y, x = (a - (n - 1) / 2 - o for a, n, o in zip(at, shape, offset, strict=True))
        outer = (z / 14) ** 2 + (y / 17) ** 2 + (x / 12) ** 2 < 1
        inner = ((z - 4) / 3) ** 2 + ((y + 5) / 4) ** 2 + (x / 6) ** 2 < 1
        return (600 * outer - 400 * inner).astype(np.float32)

    affine = np.diag([spacing / 1000] * 3 + [1.0])
    nibabel.save(nibabel.Nifti1Image(head((0, 0, 0)).transpose(2, 1, 0), affine), tmp_path / "template.nii.gz")
    frame = Frame(AXES, shape, (spacing,) * 3, (-spacing / 2,) * 3)
    pose = pose_on(tmp_path / "template.nii.gz", head((2, -3, 1)), frame, "rigid")
    np.testing.assert_allclose(pose.matrix[:3, :3], np.eye(3), atol=0.05)
    middle = np.array([*pose.centre, 1.0])
    np.testing.assert_allclose(
        (pose.matrix @ middle)[:3] - middle[:3], np.array([2, -3, 1]) * spacing, atol=0.6 * spacing
    )
    again = pose_on(tmp_path / "template.nii.gz", head((2, -3, 1)), frame, "rigid")
    assert (again.matrix == pose.matrix).all()


@pytest.mark.parametrize(("whole", "exact"), [(True, True), (False, False), (False, True)])
@pytest.mark.parametrize(
    ("grid_shape", "grid_spacing"), [((26, 17, 20), 1000.0), ((10, 12, 11), 1000.0), ((14, 15, 13), 1700.0)]
)
@pytest.mark.parametrize("turned", [False, True])
def test_cells_of_the_grid_lie_where_their_values_come_from(
    whole: bool, exact: bool, grid_shape: tuple[int, ...], grid_spacing: float, turned: bool
) -> None:
    """The values of a ramp, read at the positions that the matrix gives, are those that were prepared."""
    from scipy.ndimage import map_coordinates

    shape, spacing, origin = (20, 22, 18), (1000.0,) * 3, (3000.0, -7000.0, 500.0)
    z, y, x = np.indices(shape)
    values = (3.0 * z + 5.0 * y + 7.0 * x).astype(np.float32)
    mask = np.zeros(shape, bool)
    mask[4:17, 3:20, 2:15] = True
    frame, grid = Frame(AXES, shape, spacing, origin), Grid(grid_shape, (grid_spacing,) * 3, whole, exact)
    pose = Pose(np.array([[1, 0, 0, 900.0], [0, 0.98, -0.199, 0], [0, 0.199, 0.98, 0], [0, 0, 0, 1]]), (9e3, 3e3, 8e3))
    pose = pose if turned else None
    cells, (low, high) = prepared(values, mask, frame, grid, pose)
    inner = np.argwhere(cells > 0)[::7]
    at = grid_to_volume(mask, frame, grid, pose) @ np.concatenate([inner + 0.5, np.ones((len(inner), 1))], 1).T
    index = (at[:3] - np.array(origin)[:, None]) / np.array(spacing)[:, None] - 0.5
    deep = np.all([(i > 5) & (i < n) for i, n in zip(index, (15, 18, 13), strict=True)], 0)
    expected = (map_coordinates(values, index[:, deep], order=1) - low) / (high - low)
    seen = cells[tuple(inner[deep].T)] / 65535
    assert deep.sum() > 8 and np.allclose(seen, expected.clip(0, 1), atol=0.02 if grid_spacing > 1000 else 2e-4)
