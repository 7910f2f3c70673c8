"""A mask and an oblique volume meet in the scanner, whatever the grids of the two."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest

from tile_engine.engine.steps.volumes.align import _image, pose_on
from tile_engine.engine.steps.volumes.mask import mask_of
from tile_engine.stores.frame import Frame
from tile_engine.stores.volumes.reader import open_volume

Array = np.ndarray[Any, Any]
SHAPE = (40, 44, 36)


def affine(degrees: float, steps: tuple[float, ...], shape: tuple[int, ...], middle: tuple[float, ...]) -> Array:
    a, whole = np.radians(degrees), np.eye(4)
    turned = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    whole[:3, :3] = turned @ np.diag(steps)
    whole[:3, 3] = np.array(middle) - whole[:3, :3] @ ((np.array(shape) - 1) / 2)
    return whole


def box(shape: tuple[int, ...], where: Array) -> Array:
    """A box of 60 x 60 x 50 mm in the scanner, off the centre."""
    at = np.stack(np.indices(shape), -1) @ where[:3, :3].T + where[:3, 3]
    return (np.abs(at - [10, 35, 45]) < [30, 30, 25]).all(-1)


def laid(path: Path, volume: Path) -> Array:
    with open_volume(volume) as source:
        frame = source.frames[0]
        record = SimpleNamespace(frame=frame, shape=frame.shape, placement=source.placement)
        job: Any = SimpleNamespace(settings=SimpleNamespace(mask=str(path)))
        return mask_of(job, record)  # type: ignore[arg-type]


@pytest.mark.parametrize("degrees", [0.0, 18.0])
@pytest.mark.parametrize(
    ("shape", "steps", "tilt"), [((100, 110, 100), (-2, -2, 2), 0.0), ((60, 70, 50), (3, 3, 4), -25.0)]
)
def test_a_mask_on_another_grid_is_laid_by_both_affines(
    tmp_path: Path, degrees: float, shape: tuple[int, ...], steps: tuple[float, ...], tilt: float
) -> None:
    where = affine(degrees, (4, 4, 4), SHAPE, (0, 10, 20))
    values = np.random.default_rng(0).integers(0, 90, SHAPE).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, where), tmp_path / "a.nii.gz")
    grid = affine(tilt, steps, shape, (0, 20, 20))
    nibabel.save(nibabel.Nifti1Image(box(shape, grid).astype(np.uint8), grid), tmp_path / "mask.nii.gz")
    truth = nibabel.as_closest_canonical(nibabel.Nifti1Image(box(SHAPE, where).astype(np.uint8), where))
    wanted, found = np.asarray(truth.dataobj).T > 0, laid(tmp_path / "mask.nii.gz", tmp_path / "a.nii.gz")
    assert 2 * (wanted & found).sum() / (wanted.sum() + found.sum()) > 0.95


def test_a_mask_on_the_same_oblique_grid_is_taken_cell_by_cell(tmp_path: Path) -> None:
    where = affine(18, (4, 4, 4), SHAPE, (0, 10, 20))
    values = np.random.default_rng(0).integers(0, 90, SHAPE).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, where), tmp_path / "a.nii.gz")
    mask = np.random.default_rng(1).integers(0, 2, SHAPE).astype(np.uint8)
    mirrored = where @ [[-1, 0, 0, SHAPE[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]
    nibabel.save(nibabel.Nifti1Image(mask[::-1], mirrored), tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(laid(tmp_path / "mask.nii.gz", tmp_path / "a.nii.gz"), mask.T > 0)


def test_an_oblique_volume_is_registered_from_where_it_was_scanned(tmp_path: Path) -> None:
    shape, template = (30, 32, 30), affine(0, (4, 4, 4), (30, 32, 30), (0, 0, 0))
    oblique = affine(18, (4, 4, 4), shape, (0, 0, 0))

    def head(where: Array) -> Array:
        x, y, z = np.moveaxis(np.stack(np.indices(shape), -1) @ where[:3, :3].T + where[:3, 3], -1, 0)
        outer = (x / 34) ** 2 + (y / 50) ** 2 + (z / 42) ** 2 < 1
        inner = ((z - 12) / 9) ** 2 + ((y + 15) / 12) ** 2 + (x / 18) ** 2 < 1
        return (600 * outer - 400 * inner).astype(np.float32)

    nibabel.save(nibabel.Nifti1Image(head(template), template), tmp_path / "template.nii.gz")
    nibabel.save(nibabel.Nifti1Image(head(oblique), oblique), tmp_path / "a.nii.gz")
    with open_volume(tmp_path / "a.nii.gz") as volume:
        frame, place = volume.frames[0], volume.placement
        values = volume.read(frame.box)[0]
        image = _image(values, frame, place)
        np.testing.assert_allclose(
            image.TransformIndexToPhysicalPoint((3, 5, 7)), (oblique @ [3, 5, 7, 1])[:3], atol=1e-4
        )
        pose = pose_on(tmp_path / "template.nii.gz", values, frame, "rigid", place)
    assert isinstance(frame, Frame)
    found = place.matrix @ pose.matrix  # from the template's scanner to the volume's: the head was not moved
    np.testing.assert_allclose(found[:3, :3], np.eye(3), atol=0.05)
    np.testing.assert_allclose((found @ [*pose.centre, 1])[:3], pose.centre, atol=3000)
