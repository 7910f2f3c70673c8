"""Rows of tiles of an oblique volume lie in its scanner, and the pictures of a search find them back."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np

from tile_engine.engine.images.modality import VOLUMES
from tile_engine.engine.search.hits import Case
from tile_engine.engine.search.thumbnails import planes_of
from tile_engine.engine.steps.table import tiles_of
from tile_engine.stores.frame import Frame
from tile_engine.stores.image import ImageSpec, StoredImage
from tile_engine.stores.volumes.reader import open_volume

AXES = ("z", "y", "x")
STEP = 8


def test_a_marker_is_told_and_drawn_at_its_place_in_the_scanner(tmp_path: Path) -> None:
    a, where, marker = np.radians(25), np.eye(4), (19, 5, 12)
    where[:3, :3] = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]) @ np.diag([-2.0, 2, 3])
    where[:3, 3] = 40, -60, 15
    values = np.random.default_rng(0).integers(0, 50, (32, 24, 24)).astype(np.int16)
    values[marker] = 1000
    nibabel.save(nibabel.Nifti1Image(values, where), tmp_path / "a.nii.gz")
    with open_volume(tmp_path / "a.nii.gz") as volume:
        frame, place = volume.frames[0], volume.placement
        cells = Frame(AXES, tuple(n // STEP for n in frame.shape), tuple(s * STEP for s in frame.spacing), frame.origin)
        layer = StoredImage.create(tmp_path / "layer", ImageSpec((cells,), 1, "float32", (8,) * 3, (8,) * 3))
        at = np.unravel_index(volume.read(frame.box)[0].argmax(), frame.shape)
        found = np.zeros((1, *cells.shape), np.float32)
        found[(0, *(n // STEP for n in at))] = 1
        layer.write(0, cells.box, found)
        layer.finish(name="embedding", reference=(0.0,) * 3, placement=place)
        record = SimpleNamespace(origin=frame.origin, placement=place, assumed_orientation=())
        job: Any = SimpleNamespace(
            folder=SimpleNamespace(layer=lambda slide, field: tmp_path / "layer"),
            slides={"a": record},
            settings=SimpleNamespace(step=STEP, seed=0, side=7),
            modality=VOLUMES,
            stored=lambda slide: volume,
        )
        rows = tiles_of(job, "a", "embedding", most=9)
        told = np.array([rows["x_um"][0], rows["y_um"][0], rows["z_um"][0]]) / 1e3
        true = (where @ [*marker, 1])[:3]
        assert np.linalg.norm(told - true) <= STEP / 2 * np.linalg.norm([2, 2, 3])  # within half a tile of its centre
        z, y, x = 1e3 * true[::-1]
        planes, sided = planes_of(job, Case("a:0:0:0", "a.nii.gz", slide="a", z_um=z, y_um=y, x_um=x))
        assert sided and len(planes) == 3 and all(plane.rgb[..., 0].argmax() == 7 * 3 + 3 for plane in planes)
