"""Settings of sites: the default grid keeps the volumes' own spacing; what fits no run is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.pipeline.settings import settings_of
from tile_engine.engine.runs.sites.settings import SitesSettings, SlideSitesSettings
from tile_engine.errors import SettingsError


def volume(shape: tuple[int, ...], spacing: tuple[float, ...]) -> Any:
    return SimpleNamespace(shape=shape, spacing=spacing)


def test_volumes_of_one_spacing_keep_it_and_are_padded_to_the_largest() -> None:
    grid = SitesSettings().grid([volume((80, 120, 90), (2000.0,) * 3), volume((91, 100, 90), (2001.0,) * 3)])
    assert grid.shape == (91, 120, 90) and grid.whole and grid.spacing == pytest.approx((2000.0,) * 3, rel=1e-3)


def test_volumes_of_several_spacings_are_resampled_to_their_median() -> None:
    shapes = [volume((60, 60, 60), (s,) * 3) for s in (1000.0, 2000.0, 3000.0)]
    grid = SitesSettings().grid(shapes)
    assert grid.spacing == pytest.approx((2000.0,) * 3) and grid.shape == (90, 90, 90)


def test_large_volumes_are_resampled_to_larger_voxels() -> None:
    grid = SitesSettings().grid([volume((512, 512, 512), (500.0,) * 3)])
    assert grid.spacing[0] == pytest.approx(1015.0, rel=0.02) and max(grid.shape) <= 256


def test_what_is_asked_for_decides() -> None:
    grid = SitesSettings(shape="32,48,32", voxel=3).grid([volume((60, 60, 60), (1000.0,) * 3)])
    assert grid.shape == (32, 48, 32) and grid.spacing == (3000.0,) * 3 and not grid.whole


def test_a_shape_alone_does_not_resample_volumes_of_one_spacing() -> None:
    one = [volume((60, 60, 60), (1000.0,) * 3), volume((60, 70, 60), (1000.0,) * 3)]
    grid = SitesSettings(shape="32,48,32").grid(one)
    assert grid.exact and not grid.whole and grid.spacing == (1000.0,) * 3
    assert not SitesSettings(shape="32,48,32").grid([*one, volume((60, 60, 60), (1500.0,) * 3)]).exact


@pytest.mark.parametrize(
    ("values", "reason"),
    [({"shape": "8,32,32"}, "must be 16 voxels"), ({"gang": 2}, "batch statistics"), ({"cv": 1}, "cv")],
)
def test_what_fits_no_run_is_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        settings_of(values, SitesSettings)


def test_networks_of_shuffled_sites_come_with_effort() -> None:
    assert SlideSitesSettings().shuffled_networks == 0 and SlideSitesSettings(effort="thorough").shuffled_networks == 3
    assert SlideSitesSettings(effort="thorough", shuffled=1).shuffled_networks == 1
