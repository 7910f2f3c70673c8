"""gallery: the patches that show what a cluster looks like: central, random and border ones, whole tissue first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ....stores.frame import Array
from ...pipeline.job import Job
from ...show.patch_gallery import PatchKinds
from ...steps.sample.draw import WHOLE_COVER
from ...steps.sample.read import read_patches
from ...steps.slide_picture import first_channel
from .documents import Clusters
from .settings import ClusterSettings
from .shown import ShownClusters
from .tissue_share import bare_glass, glass_share, tissue_share

if TYPE_CHECKING:
    from ....models.clustering.typical import FinePoints

PATCHES_SHOWN = 5
"""Patches of each kind that the gallery shows per cluster."""
ALL_COVERED = 0.98
"""Share of a patch from which it is wholly of tissue."""
MAX_TILES = 4_000
"""Tiles of a fine cluster that are looked at; of more, a random sample."""


@dataclass(frozen=True, slots=True)
class GalleryTiles:
    """The tiles that galleries choose from."""

    slide: Array
    """Id of each tile's image."""
    places: Array
    """First cell of each tile's patch (n, axes)."""
    fine: FinePoints
    """Their fine clusters, as numbers of the tree - 1."""
    glass: Array
    """Share of each tile's pixels that are as bright as the slide's glass; NaN where its background is no glass."""


def gallery_tiles(job: Job[ClusterSettings], tree: Clusters, table: Any) -> GalleryTiles:
    """Tiles of the table, at most `MAX_TILES` of each fine cluster."""
    from ....models.clustering.typical import FinePoints

    fine = np.asarray(tree.numbers, np.int64)[table.obs["assignment"].to_numpy().astype(int) - 1] - 1
    rows = _sampled(fine, job.settings.seed)
    halo = (job.settings.side - job.settings.step) // 2
    slide = table.obs["slide"].astype(str).to_numpy()[rows]
    places = np.stack([table.obs[axis].to_numpy()[rows] for axis in job.modality.axes], 1) - halo
    embeddings = np.asarray(table.X[rows], np.float32)
    turns, glass = _turns_and_glass(job, slide, places)
    points = FinePoints.of(embeddings, fine[rows], turns, tree.finest, job.settings.seed)
    return GalleryTiles(slide, places, points, glass)


def _sampled(fine: Array, seed: int) -> Array:
    """Rows of at most `MAX_TILES` tiles of each fine cluster, in order."""
    order = np.random.default_rng([seed, 7]).permutation(len(fine))
    order = order[np.argsort(fine[order], kind="stable")]
    first = np.searchsorted(fine[order], fine[order])
    return np.sort(order[np.arange(len(order)) - first < MAX_TILES])


def _turns_and_glass(job: Job[ClusterSettings], slide: Array, places: Array) -> tuple[Array, Array]:
    """(0 for patches wholly of tissue, 1 for those with `WHOLE_COVER` of it, 2 for the others; `GalleryTiles.glass`)."""
    share, glass = np.zeros(len(places)), np.zeros(len(places))
    for owner in dict.fromkeys(slide):
        rows, bare = slide == owner, bare_glass(job, owner)
        share[rows] = tissue_share(job, owner, places[rows], bare)
        glass[rows] = glass_share(job, places[rows], bare)
    return (share < ALL_COVERED).astype(np.int64) + (share < WHOLE_COVER), glass


def shown_patches(
    job: Job[ClusterSettings], tree: Clusters, tiles: GalleryTiles, shown: ShownClusters
) -> dict[int, PatchKinds]:
    """Number -> patches of the shown clusters that have tiles."""
    rows: dict[tuple[int, int], Array] = {}
    at = shown.of_tree(tree)
    for number in shown.numbers:
        group = np.flatnonzero(at == number)
        members = np.flatnonzero(np.isin(tiles.fine.fine, group))
        if len(members):
            rows[number, 0] = tiles.fine.central(members, PATCHES_SHOWN)
            rows[number, 1] = tiles.fine.random(members, PATCHES_SHOWN)
            rows[number, 2] = tiles.fine.border(group.tolist(), PATCHES_SHOWN)[0]
    chosen = np.unique(np.concatenate([*rows.values(), np.zeros(0, np.int64)]))
    patches = patches_of(job, tiles, chosen)
    kinds = {key: patches[np.searchsorted(chosen, picked)] for key, picked in rows.items()}
    return {number: PatchKinds(*(kinds[number, kind] for kind in range(3))) for number, kind in kinds if not kind}


def patches_of(job: Job[ClusterSettings], tiles: GalleryTiles, rows: Array) -> Array:
    """Patches of these tiles as pictures, uint8 (n, y, x, 3)."""
    side = job.settings.side
    patches = np.empty((len(rows), side, side, 3), np.uint8)
    for owner in dict.fromkeys(tiles.slide[rows]):
        indices = np.flatnonzero(tiles.slide[rows] == owner)
        channels = read_patches(job.image(owner), tiles.places[rows[indices]], side)
        patches[indices] = _as_pictures(channels[:, first_channel(job.slides[owner]) :])
    for inner in job.settings.sides[:-1]:
        _outline_middle(patches, inner)
    return patches


def _outline_middle(pictures: Array, side: int) -> None:
    """Draw the outline of the smaller patch of `side` pixels, dashed in black and white, into pictures (n, y, x, 3)."""
    length = pictures.shape[1]
    ends = [(length - side) // 2, (length + side) // 2 - 1]
    ring = np.zeros((length, length), bool)
    ring[ends[0] : ends[1] + 1, ends] = ring[ends, ends[0] : ends[1] + 1] = True
    dashes = np.indices(ring.shape).sum(0) // (length // 16) % 2
    pictures[:, ring] = 255 * dashes[ring, None].astype(np.uint8)


def _as_pictures(patches: Array) -> Array:
    """Patches (n, c, y, x) of any integer type -> uint8 (n, y, x, 3); of cubes, the middle axial plane, anterior up."""
    if patches.ndim == 5:
        patches = (patches[:, :, patches.shape[2] // 2, ::-1] >> 8).astype(np.uint8)
    if patches.dtype != np.uint8:
        patches = (patches / max(float(patches.max()), 1.0) * 255).astype(np.uint8)
    colours = patches[:, :3] if patches.shape[1] >= 3 else np.repeat(patches[:, :1], 3, 1)
    return np.ascontiguousarray(colours.transpose(0, 2, 3, 1))
