"""A converted BIDS tree of two oblique heads, with a coarse label, a coarse layer and a version of the image in each store.

The axes of their files grow to L, A, S and to P, S, R."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

import tile_engine
from tile_engine.engine.api.running import run
from tile_engine.stores.image import ImageSpec, StoredImage, image_label, list_labels, pyramid

STEP = 4
SECRET = b"DOE^JANE"


def affine_of(number: int) -> Any:
    """Turned by 20 and 30 degrees about x, with i running to the Left."""
    a, whole = np.radians(20 + 10 * number), np.eye(4)
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    whole[:3, :3] = turn @ np.diag([-1.5, 2.0, 2.5])
    whole[:3, 3] = 40, -60, 15 + number
    return whole


def head(number: int) -> Any:
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (30, 26, 22)), indexing="ij")
    inside = x**2 + y**2 + z**2 < 0.6
    values = (inside * np.random.default_rng(number).normal(300, 20, x.shape)).astype(np.int16)
    values[MARKER] = 3000
    return values


MARKER = (19, 8, 13)


def write_fields(store: Path) -> None:
    """labels/marker and layers/score on cells of STEP voxels, where the brightest is; layers/harmonized/site-A: 1 more."""
    image = StoredImage.open(store)
    frame, values = image.frames[0], image.read(image.frames[0].box)
    cells = frame.coarsen((STEP,) * 3)
    at = tuple(n // STEP for n in np.unravel_index(values[0].argmax(), frame.shape))
    found: Any = np.zeros(cells.shape, np.uint16)
    found[at] = 700
    score: Any = np.full((1, *cells.shape), 0.25, np.float32)
    score[(0, *at)] = 0.75
    three: Any = np.random.default_rng(0).normal(size=(3, *cells.shape)).astype(np.float16)
    place: Any = {"reference": (0.0,) * 3, "placement": image.placement}
    label = image_label({700: (1, 2, 255)}, [{"label-value": 700, "class": "bright\tspot"}])
    for name, array, extra in (
        ("labels/marker", found, {"label": label}),
        ("layers/score", score, {}),
        ("layers/embedding", three, {}),
    ):
        channels = None if array.ndim == 3 else len(array)
        field = StoredImage.create(store / name, ImageSpec((cells,), channels, array.dtype.name, (64,) * 3, (64,) * 3))
        field.write(0, cells.box, array)
        field.finish(name=name, **place, **extra)
    list_labels(store, ["tissue", "marker"])
    frames = pyramid(frame, longest=16)
    version = StoredImage.create(
        store / "layers" / "harmonized" / "site-A", ImageSpec(frames, 1, "int16", (64,) * 3, (64,) * 3)
    )
    for level, one in enumerate(frames):
        version.write(level, one.box, image.read(frame.box)[(slice(None), *(slice(0, n) for n in one.shape))] + 1)
    version.finish(name="site-A", notes={"unit": "HU"}, **place)


@pytest.fixture(scope="module")
def oblique(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's folder; the tree is beside it. Only ever read it."""
    root = tmp_path_factory.mktemp("oblique")
    for number in (1, 2):
        name = f"sub-0{number}/ses-b/anat/sub-0{number}_ses-b_T1w.nii.gz"
        (root / "tree" / name).parent.mkdir(parents=True)
        image = nibabel.Nifti1Image(head(number), affine_of(number))
        if number == 2:
            image = image.as_reoriented(np.array([[2, -1], [0, -1], [1, 1]]))
            assert nibabel.aff2axcodes(image.affine) == ("P", "S", "R")
        image.header["descrip"] = image.header["db_name"] = SECRET
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", SECRET))
        nibabel.save(image, root / "tree" / name)
    (root / "tree" / "dataset_description.json").write_text("{}")
    options = tile_engine.RunOptions(cluster=tile_engine.ClusterOptions(cluster="none"), stages=("convert",))
    images = {"volumes": root / "tree", "slides": None}
    done = run("cluster", images, root / "out", options=options, settings={})
    assert isinstance(done, tile_engine.Run)
    for volume in done.slides:
        write_fields(done.out / "volumes" / f"{volume}.ome.zarr")
    return done.out


@pytest.fixture
def copied(oblique: Path, tmp_path: Path) -> Callable[[], Path]:
    """A copy of the run, to export into or to change."""
    return lambda: Path(shutil.copytree(oblique, tmp_path / "run"))
