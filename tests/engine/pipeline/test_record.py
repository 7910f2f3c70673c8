"""Records of volumes: what they carry of a grid and of labels decides results only where it differs from a plain scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

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
