"""Patches that show clusters: of every cluster with tiles, whole tissue first, the same for all levels of the report."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tile_engine.engine.runs.cluster import gallery, page
from tile_engine.engine.runs.cluster.gallery import GalleryTiles, gallery_tiles, patches_of, shown_patches
from tile_engine.engine.runs.cluster.glass import glass_cautions, glass_shares
from tile_engine.engine.runs.cluster.nearest import nearest_clusters
from tile_engine.engine.runs.cluster.sheet import PATCHES_OF_FINE, groups_of, patch_sheet
from tile_engine.engine.runs.cluster.shown import shown_clusters
from tile_engine.engine.runs.cluster.tissue_share import bare_glass, glass_share, tissue_share
from tile_engine.engine.runs.cluster.tree import clusters_document
from tile_engine.engine.runtime.load import load
from tile_engine.engine.show.patch_sheet import COLUMNS, SIDE, sheet_picture
from tile_engine.engine.tiling.mask import Mask
from tile_engine.stores.tables import read_table


@pytest.fixture(scope="module")
def job(mini: Any) -> Any:
    return load(mini.out)


@pytest.fixture(scope="module")
def tiles(job: Any) -> GalleryTiles:
    return gallery_tiles(job, clusters_document(job), read_table(job.folder.table))


def test_every_shown_cluster_has_patches_of_all_kinds(job: Any, tiles: GalleryTiles) -> None:
    shown = shown_clusters(job)
    patches = shown_patches(job, clusters_document(job), tiles, shown)
    assert set(patches) == {n for n, count in zip(shown.numbers, shown.tiles, strict=True) if count}
    for kinds in patches.values():
        for stack in (kinds.central, kinds.random, kinds.border):
            assert stack.shape[1:] == (32, 32, 3) and 0 < len(stack) <= gallery.PATCHES_SHOWN


def test_the_sheet_has_patches_of_every_cluster_of_the_tree(job: Any, tiles: GalleryTiles) -> None:
    tree = clusters_document(job)
    sheet = patch_sheet(job, tree, tiles)
    filled = {n for n, count in enumerate(tree.tiles, 1) if count}
    assert set(sheet.random) == filled and set(sheet.border) == set(groups_of(tree.parents))
    assert all(len(indices) <= PATCHES_OF_FINE for indices in sheet.central.values())
    for name, places in sheet.border.items():
        inside = [n + 1 for n in groups_of(tree.parents)[name]]
        assert all(beyond not in inside for _, beyond in places)


def test_the_slider_and_the_gallery_show_the_same_central_patches(job: Any, tiles: GalleryTiles) -> None:
    tree, shown = clusters_document(job), shown_clusters(job)
    sheet = patch_sheet(job, tree, tiles)
    at = shown.of_tree(tree)
    for name, group in groups_of(tree.parents).items():
        number, members = at[group[0]], np.flatnonzero(np.isin(tiles.fine.fine, group))
        if not np.array_equal(np.flatnonzero(at == number), group) or not len(members):
            continue  # a cluster of another level
        gallery_rows = tiles.fine.central(members, gallery.PATCHES_SHOWN)[:PATCHES_OF_FINE]
        expected = sheet_picture(patches_of(job, tiles, gallery_rows))
        assert len(sheet.central[name]) == len(gallery_rows) and expected
        drawn = [_patch(sheet.source, index) for index in sheet.central[name]]
        mine = [_patch(expected, index) for index in range(len(gallery_rows))]
        np.testing.assert_allclose(drawn, mine, atol=24)  # both are JPEGs


def _patch(source: str, index: int) -> np.ndarray:
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))).astype(int)
    y, x = index // COLUMNS * SIDE, index % COLUMNS * SIDE
    return sheet[y : y + SIDE, x : x + SIDE]


def test_tissue_of_a_patch_is_what_the_mask_covers_less_what_is_as_bright_as_glass(job: Any) -> None:
    for slide in job.slides:
        starts = np.array([[0, 0], [100, 100], [150, 60]])
        bare = bare_glass(job, slide)
        share = tissue_share(job, slide, starts, bare)
        assert ((share >= 0) & (share <= 1)).all()
        beyond = starts + np.array(job.slides[slide].shape) - 16
        assert (tissue_share(job, slide, beyond[:1], bare) <= 0.25).all(), (
            "a quarter of the patch lies inside the image"
        )
        if bare is not None:
            assert (share <= 1 - bare.share_of(starts.astype(float), starts + 32.0) + 1e-9).all()


def test_a_cluster_that_is_mostly_as_bright_as_glass_is_warned_of(job: Any, tiles: GalleryTiles) -> None:
    tree, shown = clusters_document(job), shown_clusters(job)
    at, first = shown.of_tree(tree), shown.numbers[0]
    painted = replace(tiles, glass=np.where(at[tiles.fine.fine] == first, 0.71, 0.2))
    shares = glass_shares(tree, painted, shown)
    assert shares[first] == pytest.approx(0.71) and {round(v, 6) for n, v in shares.items() if n != first} == {0.2}
    (caution,) = glass_cautions(shares, shown)
    assert (
        caution.headline.startswith("One cluster is mostly glass") and f"{shown.names[0]}: about 71 %" in caution.text
    )
    unknown = replace(tiles, glass=np.full(len(tiles.glass), np.nan))
    assert not glass_shares(tree, unknown, shown), "of fluorescence nothing is said"


def test_the_glass_of_a_tile_is_that_of_its_own_cell(job: Any) -> None:
    size = next(iter(job.slides.values())).shape
    left = Mask(np.arange(size[1])[None] < np.full((size[0], 1), 48), (1, 1), size)
    places = np.array([[32, 32], [32, 0]])  # patches of 32 in steps of 16: cells begin at 40 and at 8
    assert glass_share(job, places, left).tolist() == [0.5, 1.0]


def test_large_cohorts_are_sampled_by_fine_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "MAX_TILES", 5)
    fine = np.repeat([0, 1, 2], [100, 3, 20])
    rows = gallery._sampled(fine, 0)
    assert np.bincount(fine[rows]).tolist() == [5, 3, 5] and (np.diff(rows) > 0).all()


def test_the_nearest_clusters_are_named_by_the_numbers_that_are_shown(job: Any) -> None:
    shown = shown_clusters(job)
    nearest = nearest_clusters(job, shown)
    names = dict(zip(shown.numbers, shown.names, strict=True))
    for number, near in nearest.items():
        assert near and all(one.number != number and names[one.number] == one.name for one in near)
        assert [one.distance for one in near] == sorted(one.distance for one in near)


def test_few_tiles_are_said_to_be_too_few_rather_than_unlike_the_training_set(job: Any) -> None:
    """A hundredth of a few patches is none, so that all tiles count as unlike them."""
    said = [caution.headline for caution in page._cautions(job, np.array([[4]]))]
    assert "4 tiles are too few to tell kinds apart." in said and not [text for text in said if "unlike" in text]
