"""glass: how much of each shown cluster is as bright as the slides' glass, and a caution of clusters that mostly are."""

from __future__ import annotations

import numpy as np

from ...show.cluster_sections import SAMPLED
from ...show.numbers import percent, whole
from ...show.page import Caution
from .documents import Clusters
from .gallery import GalleryTiles
from .shown import ShownClusters

MOSTLY = 0.5
"""Share of a cluster's pixels as bright as glass from which the report warns."""
WHY = (
    "The mask of the tissue closes narrow gaps and small holes and lies a little outside of the edge: lumina, fat and frayed "
    "edges count as tissue there, and so do these tiles in every share. Look at the patches before you take such a cluster for "
    "a kind of tissue."
)


def glass_shares(tree: Clusters, tiles: GalleryTiles, shown: ShownClusters) -> dict[int, float]:
    """Number -> share of the cluster's pixels that are as bright as glass, about: of the gallery's tiles on brightfield slides.

    Clusters of which that is not known have none.
    """
    fine, known = tiles.fine.fine, np.isfinite(tiles.glass)
    looked_at = np.bincount(fine[known], minlength=tree.finest)
    means = np.bincount(fine[known], tiles.glass[known], tree.finest) / np.maximum(looked_at, 1)
    weights = np.where(looked_at > 0, tree.tiles, 0)  # of a large fine cluster only a sample was looked at
    at = shown.of_tree(tree)
    totals = {number: int(weights[at == number].sum()) for number in shown.numbers}
    return {n: float((means * weights)[at == n].sum() / total) for n, total in totals.items() if total}


def glass_cautions(shares: dict[int, float], shown: ShownClusters) -> tuple[Caution, ...]:
    """A caution that names the clusters that are mostly glass; none where none is."""
    names, total = dict(zip(shown.numbers, shown.names, strict=True)), max(1, sum(shown.tiles))
    tiles = dict(zip(shown.numbers, shown.tiles, strict=True))
    mostly = [number for number, share in shares.items() if share >= MOSTLY]
    if not mostly:
        return ()
    said = [f"{names[n]}: about {whole(shares[n])} of its pixels are as bright as the slide's glass" for n in mostly]
    count = "One cluster is" if len(mostly) == 1 else f"{len(mostly)} clusters are"
    of_all = percent(sum(tiles[n] for n in mostly) / total)
    return (Caution(f"{count} mostly glass, {of_all} of the tissue tiles.", f"{'; '.join(said)} ({SAMPLED}). {WHY}"),)
