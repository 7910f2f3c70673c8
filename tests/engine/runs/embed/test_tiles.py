"""Tiles of volumes and of slides: clusters in three dimensions, and embeddings without clusters."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

import tile_engine
from tile_engine.engine.maintenance.verify import verify
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.sample.read import read_patches
from tile_engine.errors import SettingsError
from tile_engine.stores.image import StoredImage
from tile_engine.stores.memory import MemorySource

SINGLE = tile_engine.RunOptions(cluster=tile_engine.ClusterOptions(cluster="none"))
QUICK = {"effort": 0.1, "threads": 1, "umap": False}
STEP = 8
SHAPES = ((64, 56, 72), (60, 64, 58))
"""i, j, k, so x, y, z."""


def phantom(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A ball whose lower half is smooth and bright, and whose upper half is dark and coarse."""
    draw = np.random.default_rng(seed)
    grid = np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2
    ball = (grid**2).sum(0) < (min(shape) * 0.48) ** 2
    coarse = np.kron(draw.integers(150, 450, [-(-n // 4) for n in shape]), np.ones((4, 4, 4)))
    coarse = coarse[tuple(slice(n) for n in shape)]
    values = np.where(grid[2] < 0, 800 + draw.normal(0, 10, shape), coarse)
    return np.where(ball, values, draw.normal(0, 5, shape)).astype(np.int16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiles") / "volumes"
    folder.mkdir()
    for seed, shape in enumerate(SHAPES):
        affine = np.diag([2.0, 2, 2, 1])
        affine[:3, 3] = -30, -40, 10
        nibabel.save(nibabel.Nifti1Image(phantom(shape, seed), affine), folder / f"case-{seed}.nii.gz")
    return folder


@pytest.fixture(scope="module")
def clusters(folder: Path) -> Any:
    return tile_engine.cluster(volumes=folder, out=folder.parent / "clusters", options=SINGLE, k=2, seeds=2, **QUICK)


def test_labels_lie_in_three_dimensions_and_validators_accept_them(clusters: Any) -> None:
    import ngff_zarr
    import zarr
    from ome_zarr_models.v05 import Image, ImageLabel

    assert clusters.status == "done" and len(clusters.slides) == 2
    for volume, (x, y, z) in zip(clusters.slides, SHAPES, strict=True):
        store = clusters.out / "volumes" / f"{volume}.ome.zarr"
        labels = clusters.layers("clusters")[volume]
        assert labels.dims == ("z", "y", "x") and labels.shape == tuple(-(-n // STEP) for n in (z, y, x))
        np.testing.assert_allclose(labels.x.values, -30_000 + (np.arange(-(-x // STEP)) * STEP + 3.5) * 2000)
        np.testing.assert_allclose(labels.z.values, 10_000 + (np.arange(-(-z // STEP)) * STEP + 3.5) * 2000)
        for group in ("labels/clusters", "labels/tissue", "layers/embedding", "layers/confidence"):
            (ImageLabel if group[:2] == "la" and group[3] == "e" else Image).from_zarr(
                zarr.open_group(store / group, mode="r")
            )
            ngff_zarr.from_ngff_zarr(str(store / group), validate=True, version="0.5")
        assert len(StoredImage.open(store / "labels" / "clusters").frames) == len(StoredImage.open(store).frames)


def test_clusters_are_the_two_textures_of_the_phantom(clusters: Any) -> None:
    """Of cubes that lie wholly inside and in one half; at the rim both are beside the dark."""
    seen = []
    for volume in clusters.slides:
        inside = np.pad((clusters.layers("tissue")[volume].values == 1).astype(float), 4)
        labels = clusters.layers("clusters")[volume].values
        middle = (len(inside) - 8) / 2
        for cell in np.argwhere(labels):
            cube = inside[tuple(slice(a * STEP, a * STEP + 16) for a in cell)]
            low, high = cell[0] * STEP - 4, cell[0] * STEP + 12
            if cube.mean() > 0.99 and not low < middle < high:
                seen.append(labels[tuple(cell)] == 1 + (low >= middle))
    share = np.mean(seen)
    assert len(seen) > 40 and max(share, 1 - share) > 0.95


def test_a_cell_is_what_the_network_makes_of_the_cube_around_it(clusters: Any) -> None:
    """Tiled, read by block and cut from memory, it is the same as the whole volume padded and cut at once."""
    from tile_engine.engine.steps.apply import trained
    from tile_engine.models.networks.autoencoder import to_float

    job = load(clusters.out)
    network = trained(job)
    for volume in clusters.slides:
        image = job.image(volume)
        whole = np.pad(image.read(image.frames[0].box), [(0, 0)] + [(4, 12)] * 3)
        embedding = clusters.layers("embedding")[volume].values
        at = np.argwhere(embedding.any(0))
        cubes = np.stack([whole[:, *(slice(a * STEP, a * STEP + 16) for a in cell)] for cell in at])
        with torch.inference_mode():
            codes = network.autoencoder.encode(to_float(cubes)).numpy()
        np.testing.assert_allclose(embedding[:, *at.T].T, codes, atol=2e-2, rtol=2e-3)


def test_a_cell_is_looked_at_where_half_of_its_cube_is_in_the_mask(clusters: Any) -> None:
    for volume in clusters.slides:
        inside = np.pad((clusters.layers("tissue")[volume].values == 1).astype(float), 4)
        ones = np.pad(np.ones(clusters.layers("tissue")[volume].shape), 4)
        labels = clusters.layers("clusters")[volume].values
        for cell in np.ndindex(labels.shape):
            cube = tuple(slice(a * STEP, a * STEP + 16) for a in cell)
            assert (labels[cell] > 0) == (inside[cube].sum() >= 0.5 * ones[cube].sum())


def test_the_table_says_where_each_tile_is_in_space(clusters: Any) -> None:
    tiles = clusters.tiles
    assert len(tiles.obs) == sum(int((layer.values > 0).sum()) for layer in clusters.layers("clusters").values())
    for volume in clusters.slides:
        mine = tiles[tiles.obs["slide"] == volume]
        at = tuple(mine.obs[name].to_numpy() for name in ("plane", "row", "column"))
        labels, embedding = clusters.layers("clusters")[volume], clusters.layers("embedding")[volume]
        np.testing.assert_array_equal(mine.obs["cluster"].astype(int), labels.values[at])
        np.testing.assert_array_equal(mine.X, embedding.values[:, *at].T)
        np.testing.assert_allclose(
            mine.obsm["spatial"], np.stack([labels[a].values[i] for a, i in zip("xyz", at[::-1], strict=True)], 1)
        )
        np.testing.assert_array_equal(mine.obs["z"], at[0] * STEP)


def test_maps_report_and_receipts_are_those_of_volumes(clusters: Any) -> None:
    page = clusters.report.read_text()
    assert "case-0.nii.gz" in page and "Each volume, and the same volume coloured" in page and "x × y × z" in page
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", page)
    from PIL import Image

    for volume in clusters.slides:
        colours = np.asarray(Image.open(clusters.map(volume)).convert("RGB")).reshape(-1, 3)
        assert len(np.unique(colours, axis=0)) > 100
    verdict = verify(clusters.out, full=True)
    assert not verdict.findings


def test_tiles_of_volumes_are_embedded_without_clusters(folder: Path, mini: Any, tmp_path: Path) -> None:
    words = ("--effort", "0.02", "--threads", "1", "--no-umap", "--cluster", "none", "--json")
    done = mini.cli("run", "embed", "--volumes", folder, "--tile", "16,16,16", "--out", tmp_path / "out", *words)
    assert done.returncode == 0, done.stderr
    run = tile_engine.open_run(tmp_path / "out")
    assert not (run.out / "models" / "clusterer.json").exists() and "cluster" not in run.tiles.obs
    assert len(run.tiles.obs) == sum(int(e.values.any(0).sum()) for e in run.layers("embedding").values()) > 50
    assert run.tiles.X.shape[1] == 128 and run.report.exists()
    assert not verify(run.out, full=True).findings


def test_tiles_of_slides_are_embedded_without_clusters(mini: Any, tmp_path: Path) -> None:
    run = tile_engine.embed(slides=mini.slides, out=tmp_path / "out", options=SINGLE, patch=32, **QUICK)
    assert run.status == "done" and "cluster" not in run.tiles.obs
    with_clusters = tile_engine.open_run(mini.out)
    assert set(run.tiles.obs_names) == set(with_clusters.tiles.obs_names), "the same tiles, whatever is done with them"
    assert (
        mini.results(run.out, "slides").items()
        >= {name: crc for name, crc in mini.results(mini.out, "slides").items() if "/labels/tissue/0/" in name}.items()
    )
    assert not verify(run.out, full=True).findings


def test_slides_and_volumes_are_not_mixed_and_unequal_sides_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="exactly one of"):
        tile_engine.cluster(folder, tmp_path, volumes=folder)
    with pytest.raises(SettingsError, match="unequal sides"):
        tile_engine.embed(folder, tmp_path, patch="16,16,32")
    with pytest.raises(SettingsError, match="no setting 'mpp'"):
        tile_engine.cluster(volumes=folder, out=tmp_path, mpp=0.5)


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("block", [16, 40])
def test_patches_are_the_same_however_they_are_read(axes: int, block: int) -> None:
    draw = np.random.default_rng(axes)
    shape = (33, 47, 41)[:axes]
    pixels = draw.integers(1, 200, (2, *shape)).astype(np.uint8)
    source = MemorySource(pixels, background=7)
    places = draw.integers(-6, 38, (60, axes))
    found = read_patches(source, places, 12, cell=8, block=block)
    padded = np.pad(pixels, [(0, 0)] + [(20, 40)] * axes, constant_values=7)
    for place, patch in zip(places, found, strict=True):
        np.testing.assert_array_equal(patch, padded[:, *(slice(a + 20, a + 32) for a in place)])


def test_volumes_of_unequal_voxels_are_warned_of(folder: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    both.mkdir()
    for name, size in (("fine", 1.0), ("thick", 4.0)):
        affine = np.diag([1.0, 1.0, size, 1.0])
        nibabel.save(nibabel.Nifti1Image(phantom((20, 20, 20), 0), affine), both / f"{name}.nii.gz")
    said: list[str] = []

    def report(event: Any) -> None:
        said.extend([event.text] if event.kind == "warning" else [])

    for images in (both, folder):
        options = replace(SINGLE, report=report, stages=("convert",))
        tile_engine.cluster(volumes=images, out=tmp_path / f"out-{images.name}", options=options, **QUICK)
    assert len(said) == 1 and "from 1 x 1 x 1 to 4 x 1 x 1 mm" in said[0]
