"""Exports of one small image whose file is finer, lies elsewhere and counts from a corner, with labels on cells."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anndata
import h5py
import numpy as np
import pytest
import shapely
import tifffile
import zarr

from tile_engine.engine.export import formats
from tile_engine.engine.export.fields import fields_of
from tile_engine.engine.export.formats import FORMATS, ImageFile
from tile_engine.engine.export.owned import remember
from tile_engine.engine.export.picked import Picked
from tile_engine.engine.images.modality import SLIDES
from tile_engine.engine.pipeline.record import ImageRecord
from tile_engine.engine.runs.cluster.settings import ClusterSettings
from tile_engine.errors import SettingsError
from tile_engine.stores.folder import Folder
from tile_engine.stores.frame import Frame
from tile_engine.stores.image import ImageSpec, StoredImage, image_label, list_labels, pyramid

STEP, SHAPE, ORIGIN, CORNER = 16, (200, 120), (10.0, 30.0), (96, 64)
FRAME = Frame(("y", "x"), SHAPE, (1.0, 1.0), ORIGIN)
CELLS = FRAME.coarsen((STEP, STEP))
SETTINGS = ClusterSettings(patch=(32, 64), stride=STEP)


def record(channels: int = 3) -> ImageRecord:
    native = tuple(2 * n for n in SHAPE)
    return ImageRecord(
        id="a", name="Doe, Jane/TCGA-A1-DX1.0F2C.svs", path="/a.svs", fingerprint="f", mpp=None, subject="", site="",
        columns={}, reader="openslide", native_spacing=0.5, native_shape=native, channels=channels, dtype="uint8",
        background=255, shape=SHAPE, spacing=(1.0, 1.0), origin=ORIGIN, corner=CORNER,
        stains=("HE", "Ki67")[: channels // 3] if channels > 3 else (),
    )  # fmt: skip


def write(path: Path, frames: tuple[Frame, ...], values: Any, **more: Any) -> None:
    """Values (c, y, x), or (y, x) of a label, of the finest of some frames; every second of them on the next ones."""
    channels = None if values.ndim == 2 else len(values)
    stored = StoredImage.create(path, ImageSpec(frames, channels, values.dtype.name, (256, 256), (64, 64)))
    for level, frame in enumerate(frames):
        stored.write(level, frame.box, values[..., :: 2**level, :: 2**level])
    stored.finish(name=path.name, reference=FRAME.spacing, **more)


def picked(out: Path, *, channels: int = 3, empty: bool = False, with_tiles: bool = False) -> Picked:
    """An image of a run whose labels lie on their cells; `empty`: without a tile."""
    job: Any = SimpleNamespace(
        folder=Folder(out, "slides"),
        settings=SETTINGS,
        slides={"a": record(channels)},
        opened={"a": record(channels)},
        fingerprints={},
        modality=SLIDES,
    )
    store, draw = job.folder.slide("a"), np.random.default_rng(0)
    frames = pyramid(FRAME, levels=2)
    write(store, frames, draw.integers(0, 255, (channels, *SHAPE)).astype(np.uint8))
    clusters: Any = draw.integers(0, 3, CELLS.shape).astype(np.uint16) * (not empty)
    label = image_label({1: (255, 0, 0), 2: (0, 0, 255)}, [{"label-value": n, "class": f"c{n}"} for n in (1, 2)])
    write(store / "labels" / "clusters", pyramid(CELLS, levels=2), clusters, label=label)
    list_labels(store, ["clusters"])
    embedding = draw.normal(size=(4, *CELLS.shape)).astype(np.float16) * (clusters > 0)
    for name, values in (
        ("embedding", embedding.astype(np.float16)),
        ("confidence", np.full((1, *CELLS.shape), 0.5, np.float32)),
        ("assignment", clusters[None]),
    ):
        write(store / "layers" / name, (CELLS,), values)
    return Picked(job, "a", tuple(fields_of(store))[:1], with_tiles)


@pytest.mark.parametrize("channels", [3, 6])
def test_labels_on_cells_are_exported_pixel_by_pixel(tmp_path: Path, channels: int) -> None:
    """Readers ignore `translation`: what a run stored on cells would lie half a cell beside the image."""
    one, out = picked(tmp_path / "run", channels=channels), tmp_path / "out"
    out.mkdir()
    for to in ("ome-zarr-0.4", "ome-tiff", "spatialdata"):
        FORMATS[to].write(one, out)
    cells = StoredImage.open(one.labels[0].path)
    expected = cells.read(cells.frames[0].box)[0].repeat(STEP, 0).repeat(STEP, 1)[: SHAPE[0], : SHAPE[1]]
    pixels = one.stored.read(FRAME.box)
    old, new = zarr.open_group(out / "a.ome.zarr", mode="r"), zarr.open_group(out / "a.zarr", mode="r")
    np.testing.assert_array_equal(old["0"][0, :, 0], pixels)
    for level in (0, 1):
        every = expected[:: 2**level, :: 2**level]
        np.testing.assert_array_equal(old[f"labels/clusters/{level}"][0, 0, 0], every)
        np.testing.assert_array_equal(new[f"labels/clusters/{level}"][:], every)
    assert old["labels/clusters"].attrs["multiscales"][0]["type"] == "nearest"
    with tifffile.TiffFile(out / "a.ome.tif") as tiff:
        assert "Doe" not in (tiff.ome_metadata or "") and 'Name="a"' in (tiff.ome_metadata or "")
        np.testing.assert_array_equal(tiff.asarray(), np.moveaxis(pixels, 0, -1) if channels == 3 else pixels)
    np.testing.assert_array_equal(tifffile.imread(out / "a.clusters.ome.tif"), expected)
    assert {path.name for path in out.iterdir()} == {"a.ome.zarr", "a.zarr", "a.ome.tif", "a.clusters.ome.tif"}


def test_tiles_lie_on_the_file_where_viewers_count_and_on_their_image(tmp_path: Path) -> None:
    one, out = picked(tmp_path / "run", with_tiles=True), tmp_path / "out"
    out.mkdir()
    for to in ("h5", "geojson", "spatialdata"):
        FORMATS[to].write(one, out)
    rows, columns = np.nonzero(StoredImage.open(one.labels[0].path).read(CELLS.box)[0])
    with h5py.File(out / "TCGA-A1-DX1.0F2C.h5") as file:
        np.testing.assert_array_equal(file["coords"][:], (np.stack([columns, rows], 1) * STEP - (64 - STEP) // 2) * 2)
        said = dict(file["coords"].attrs)
    assert (said["patch_size"], said["patch_size_level0"], said["overlap"]) == (64, 128, 64 - STEP)
    assert (said["name"], said["level0_height"], said["level0_width"]) == ("TCGA-A1-DX1.0F2C", 400, 240)
    objects = json.loads((out / "a.geojson").read_text())["features"]
    tiles = [shapely.geometry.shape(o["geometry"]) for o in objects if o["properties"]["objectType"] == "tile"]
    first = np.stack([columns, rows], 1) * STEP * 2 - CORNER[::-1]
    np.testing.assert_array_equal([tile.bounds[:2] for tile in tiles], first)
    np.testing.assert_array_equal(
        [tile.bounds[2:] for tile in tiles], np.minimum(first + 2 * STEP, np.array([240, 400]) - CORNER[::-1])
    )
    kinds = [o["properties"]["objectType"] for o in objects]
    assert kinds == ["annotation"] * 2 + ["tile"] * len(rows)
    areas = [shapely.geometry.shape(o["geometry"]).area for o in objects]
    assert sum(areas[:2]) == sum(areas[2:])
    table = anndata.read_zarr(out / "a.zarr" / "tables" / "table")
    np.testing.assert_allclose(table.obsm["spatial"], (np.stack([columns, rows], 1) + 0.5) * STEP)
    coords = zarr.open_group(out / "a.zarr", mode="r")["shapes/tiles/coords"][:].reshape(-1, 5, 2)
    np.testing.assert_array_equal(coords[:, 0], np.stack([columns, rows], 1) * STEP)


def test_an_image_without_a_tile_is_exported_in_every_format(tmp_path: Path) -> None:
    one, out = picked(tmp_path / "run", empty=True, with_tiles=True), tmp_path / "out"
    out.mkdir()
    for to, form in FORMATS.items():
        assert ImageFile(to, one, out).check() == []
        form.write(one, out)
        assert all((out / name).exists() for name in form.names(one))
    with h5py.File(out / "TCGA-A1-DX1.0F2C.h5") as file:
        assert (file["coords"].shape, file["features"].shape) == ((0, 2), (0, 4))
    assert json.loads((out / "a.geojson").read_text()) == {"type": "FeatureCollection", "features": []}
    assert anndata.read_zarr(out / "a.zarr" / "tables" / "table").shape == (0, 4)


def test_what_is_not_finished_is_named_before_work(tmp_path: Path) -> None:
    one = picked(tmp_path / "run")
    StoredImage.create(one.job.folder.layer("a", "embedding"), ImageSpec((CELLS,), 4, "float16", (64, 64), (64, 64)))
    checks = {to: ImageFile(to, one, tmp_path).check() for to in FORMATS}
    embedding = ["a/layers/embedding"]
    assert checks == {
        "ome-zarr-0.4": [],
        "ome-tiff": [],
        "spatialdata": embedding,
        "h5": embedding,
        "parquet": embedding,
        "geojson": [],
    }
    assert ImageFile("geojson", Picked(one.job, "a", ()), tmp_path).check() == ["a/labels"]
    StoredImage.create(one.store, ImageSpec((FRAME,), 3, "uint8", (64, 64), (64, 64)))
    fresh = Picked(one.job, "a", one.labels)
    assert (
        ImageFile("ome-tiff", fresh, tmp_path).check() == ["a"] and ImageFile("geojson", fresh, tmp_path).check() == []
    )
    one.job.settings = None
    with pytest.raises(SettingsError, match="no embeddings of tiles"):
        ImageFile("h5", fresh, tmp_path).check()


def test_files_are_on_the_disk_before_their_receipt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut leaves files that the next export takes for somebody else's."""
    one, order, fsync = picked(tmp_path / "run"), list[Any](), os.fsync

    def watched(file: int) -> None:
        order.append(os.fstat(file).st_ino)
        fsync(file)

    def receipt(*args: Any) -> None:
        order.append("receipt")
        remember(*args)

    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(formats, "remember", receipt)
    file = ImageFile("ome-tiff", one, tmp_path)
    file.write()
    assert file.state == "same"
    assert {target.stat().st_ino for target in file.targets} <= set(order[: order.index("receipt")])
    monkeypatch.setattr(formats, "MANY_FILES", 1)
    monkeypatch.setattr(os, "sync", lambda: order.append("all"))
    ImageFile("ome-zarr-0.4", one, tmp_path).write()
    assert order.index("all") < len(order) - 1 - order[::-1].index("receipt")


def test_cells_that_are_no_whole_pixels_keep_their_grid_and_that_is_said(tmp_path: Path) -> None:
    one, out = picked(tmp_path / "run"), tmp_path / "out"
    out.mkdir()
    coarse = FRAME.coarsen((2 * STEP, 2 * STEP))
    write(one.store, (coarse,), np.full((3, *coarse.shape), 9, np.uint8))  # a run that stores no pixels
    (text,) = formats.warnings_of("ome-tiff", [one])
    assert "no whole pixels" in text and "a/labels/clusters" in text and not formats.warnings_of("geojson", [one])
    FORMATS["ome-tiff"].write(one, out)
    cells = StoredImage.open(one.labels[0].path)
    np.testing.assert_array_equal(tifffile.imread(out / "a.clusters.ome.tif"), cells.read(CELLS.box)[0])
