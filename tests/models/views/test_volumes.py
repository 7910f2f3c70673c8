"""VolumeViews: exact shifts and mirrors, rigid turns, outside that stays 0, the same views for every share."""

from __future__ import annotations

import numpy as np
import torch

from tile_engine.models.replica import Replica
from tile_engine.models.seeds import generator
from tile_engine.models.views.volumes import VolumeViews

STILL = {"brightness": 0.0, "noise": 0.0}


def ball(shape: tuple[int, int, int], centre: tuple[int, int, int], radius: float) -> torch.Tensor:
    cells = np.indices(shape) - np.array(centre)[:, None, None, None]
    return torch.from_numpy((np.square(cells).sum(0) <= radius**2).astype(np.float32))[None, None]


def test_a_view_that_may_not_differ_is_the_volume() -> None:
    volumes = torch.rand(2, 1, 6, 8, 10)
    assert torch.equal(VolumeViews(shift=0, **STILL)(volumes, generator(0)), volumes)


def test_shifts_are_of_whole_voxels_and_fill_with_0() -> None:
    volume = torch.rand(1, 1, 8, 8, 8) + 0.1
    view = VolumeViews(shift=2, **STILL)(volume.clamp(0, 1), generator(3))[0, 0]
    padded = torch.nn.functional.pad(volume.clamp(0, 1)[0, 0], (2,) * 6)
    found = [
        torch.allclose(padded[z : z + 8, y : y + 8, x : x + 8], view, atol=1e-4)
        for z in range(5)
        for y in range(5)
        for x in range(5)
    ]
    assert sum(found) == 1


def test_a_mirror_changes_left_and_right_in_half_of_the_views() -> None:
    volumes = torch.rand(1, 1, 4, 6, 8).repeat(40, 1, 1, 1, 1)
    views = VolumeViews(shift=0, mirror=True, **STILL)(volumes, generator(1))
    same = [torch.allclose(view, volumes[0], atol=1e-5) for view in views]
    turned = [torch.allclose(view, volumes[0].flip(-1), atol=1e-5) for view in views]
    assert all(a != b for a, b in zip(same, turned, strict=True))
    assert 8 < sum(turned) < 32


def test_a_share_of_the_volumes_is_left_as_it_is() -> None:
    volumes = torch.rand(40, 1, 4, 6, 8)
    views = VolumeViews(noise=0.2, unchanged=0.5)(volumes, generator(1))
    same = [torch.equal(view, volume) for view, volume in zip(views, volumes, strict=True)]
    assert 8 < sum(same) < 32


def test_turning_in_a_long_box_does_not_shear() -> None:
    """A ball beside the centre stays as far from it, and a ball."""
    shape = (24, 48, 32)
    volumes = ball(shape, (12, 30, 16), 5).repeat(8, 1, 1, 1, 1)
    views = VolumeViews(shift=0, turn=30, **STILL)(volumes, generator(2))
    middle = np.array([11.5, 23.5, 15.5])
    for view in views[:, 0].numpy():
        weights = view / view.sum()
        cells = np.indices(shape)
        centre = np.array([(weights * axis).sum() for axis in cells])
        assert abs(np.linalg.norm(centre - middle) - np.linalg.norm(np.array([12, 30, 16]) - middle)) < 0.3
        spread = [(weights * np.square(axis - at)).sum() for axis, at in zip(cells, centre, strict=True)]
        assert max(spread) / min(spread) < 1.15
    assert not torch.allclose(views[0], views[1], atol=0.1)


def test_outside_the_mask_stays_0() -> None:
    volume = ball((16, 16, 16), (8, 8, 8), 4) * 0.5
    view = VolumeViews(shift=0, noise=0.05)(volume, generator(0))
    assert float(view[volume == 0].abs().max()) == 0.0
    assert float(view[volume > 0].std()) > 0.02


def test_shares_see_the_rows_of_the_whole_batch() -> None:
    volumes = torch.rand(6, 1, 8, 8, 8)
    views = VolumeViews(unchanged=0.3, shift=1, turn=10, scale=0.1, mirror=True)
    whole = views(volumes, generator(5))
    parts = [views(volumes[(s := Replica(rank, 3)).rows(6)], generator(5), s) for rank in range(3)]
    assert torch.allclose(torch.cat(parts), whole, atol=1e-6)
