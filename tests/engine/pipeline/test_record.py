"""Records of volumes: what they carry of a grid and of labels decides results only where it differs from a plain scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tile_engine.engine.pipeline.record import ImageRecord

STRAIGHT = ((1.0, 0.0, 0.0, 5.0), (0.0, 1.0, 0.0, 6.0), (0.0, 0.0, 2.0, 7.0), (0.0, 0.0, 0.0, 1.0))
VOLUME = ImageRecord(
    id="a", name="a.nii", path="/a.nii", fingerprint="f", mpp=None, subject="", site="", columns={}, reader="nifti",
    native_spacing=1000.0, native_shape=(8, 9, 10), channels=1, dtype="int16", background=0, shape=(8, 9, 10),
    spacing=(2000.0, 1000.0, 1000.0), origin=(6000.0, 5500.0, 4500.0),
)  # fmt: skip
"""As an earlier version recorded it: no affine, no labels."""


def test_a_straight_scan_is_the_same_record_with_and_without_its_affine() -> None:
    with_affine = replace(VOLUME, affine=STRAIGHT)
    assert VOLUME.placement.straight and with_affine.placement.straight
    assert with_affine.key == VOLUME.key


def test_an_oblique_scan_and_a_label_map_are_other_results() -> None:
    turned = np.array(STRAIGHT)
    turned[:2, :2] = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    oblique = replace(VOLUME, affine=tuple(map(tuple, turned.tolist())))
    assert len({VOLUME.key, oblique.key, replace(VOLUME, labels=True).key}) == 3
    np.testing.assert_allclose(
        oblique.placement.to_world(np.array([7000.0, 6000, 5000])), [7000, 6000, 5000]
    )  # voxel 0
    np.testing.assert_allclose(
        oblique.placement.to_world(np.array([7000.0, 6000, 8000])),
        [7000, 6000 + 3000 * np.sin(0.3), 5000 + 3000 * np.cos(0.3)],
    )


@pytest.mark.parametrize(
    ("native", "shape", "scale"),
    [
        ((1000, 1003), (500, 501), (2.0, 2.0)),
        ((1001, 1003), (501, 502), (2.0, 2.0)),
        ((100_000, 40_000), (49_700, 19_880), (100_000 / 49_700, 40_000 / 19_880)),
        ((100_000, 100), (49_700, 50), (100_000 / 49_700, 2.0)),
        ((512, 512), (512, 512), (1.0, 1.0)),
    ],
)
def test_the_scale_to_level_0_is_whole_where_rounding_explains_the_shape_on_every_axis(
    native: tuple[int, int], shape: tuple[int, int], scale: tuple[float, float]
) -> None:
    """A ratio within 1 % of a whole number is 300 pixels off at the far side of a large slide."""
    slide = replace(VOLUME, native_shape=native, shape=shape, spacing=(0.5, 0.5), origin=(0.0, 0.0))
    assert slide.native_scale == scale
