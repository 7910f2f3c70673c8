"""Projection: embeddings as points of a plane, for display. UMAP is fitted on a sample; other embeddings are added to it.

UMAP's own transform is slow and depends on the other rows of a batch. Here the position of an embedding is the mean of its
nearest sample points, weighted by inverse squared distance. It depends on that embedding alone, so batches may have any size.

UMAP computes all distances of a small sample by a Python function, and compiles its own loops anew in every process: both took
longer than the layout. So it is given the neighbours, and its compiled loops are kept where numba keeps such (NUMBA_CACHE_DIR,
beside the library, or the user's cache folder).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import umap
from sklearn.decomposition import PCA

Array = npt.NDArray[Any]
UMAP_NEIGHBOURS = 15
"""Neighbours of each point in UMAP's graph."""
PLACING_NEIGHBOURS = 5
"""Sample points that determine the position of an embedding."""
CHUNK, FEATURES = 2048, 128
"""Embeddings of so many features whose neighbours are looked for at once; fewer where they are longer."""
BLOCK = 32
"""Embeddings whose distances are computed at once: what lies between is then small enough for a core's cache."""
LOOPS = (
    umap.umap_.smooth_knn_dist,
    umap.umap_.compute_membership_strengths,
    umap.layouts._get_optimize_layout_euclidean_single_epoch_fn(parallel=False),
)
"""What UMAP compiles when it is fitted."""
MIN_UMAP_POINTS = 3 * UMAP_NEIGHBOURS
"""With fewer different points UMAP has too little data; principal components are shown instead."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A sample of embeddings with its positions in the plane."""

    sample_NF: Array  # noqa: N815
    xy_N2: Array  # noqa: N815
    """float32."""
    method: str
    """"umap", "tsne" or "pca"; pictures name it."""


def fit_umap(sample_NF: Array, seed: int = 0, epochs: int = 200) -> Projection:
    """Positions of a sample (n, F) by UMAP; the same seed gives the same plane. PCA for fewer than 45 different rows."""
    sample = np.ascontiguousarray(sample_NF, dtype=np.float32)
    if len(np.unique(sample, axis=0)) < MIN_UMAP_POINTS:
        return Projection(sample, _components(sample), "pca")
    _keep_compiled()
    half = _half_squares(sample)
    chunk = max(64, CHUNK * FEATURES // max(FEATURES, sample.shape[1]))
    parts = [_nearest(sample[i : i + chunk], sample, half, UMAP_NEIGHBOURS) for i in range(0, len(sample), chunk)]
    near, distance = (np.concatenate(part) for part in zip(*parts, strict=True))
    reducer = umap.UMAP(
        n_neighbors=UMAP_NEIGHBOURS,
        n_epochs=epochs,
        random_state=seed,
        n_jobs=1,
        init="pca",
        precomputed_knn=(near.astype(np.int32), distance.astype(np.float32)),
    )
    # Without an index UMAP adds no rows: we do. No context puts the filters back: they are those of all threads.
    warnings.filterwarnings("ignore", r"precomputed_knn\[2\]", UserWarning)
    for _ in LOOPS:
        with suppress(OSError):  # a full disk keeps a loop that is compiled from being kept, not from being used
            return Projection(sample, np.asarray(reducer.fit_transform(sample), np.float32), "umap")
    return Projection(sample, np.asarray(reducer.fit_transform(sample), np.float32), "umap")


def compile_loops() -> None:
    """Compile what UMAP needs and keep it, so that the first run on a machine does not: half a minute where nothing is kept."""
    fit_umap(np.random.default_rng(0).normal(size=(4 * UMAP_NEIGHBOURS, 4)), epochs=1)


@cache
def _keep_compiled() -> None:
    """Have the loops that UMAP compiles in every process anew kept on disk; where none can be written, they are compiled.

    Other threads go on while they run."""
    for loop in LOOPS:
        with suppress(RuntimeError, AttributeError):  # numba found no folder to write to, or is told not to compile
            loop.targetoptions["nogil"] = True
            loop.enable_caching()


def embed_points(
    embeddings_NF: Array,
    projection: Projection,
    chunk: int = CHUNK,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Array:
    """Positions of embeddings in the plane, float32 (N, 2); an embedding of the sample has its own point.

    `tell` is called with the number of embeddings that are placed, and of all.
    """
    sample = projection.sample_NF
    count = min(PLACING_NEIGHBOURS, len(sample))
    places = np.zeros((len(embeddings_NF), 2), np.float32)
    if count == 0:
        return places
    half = _half_squares(sample)
    for start in range(0, len(embeddings_NF), chunk):
        embeddings = np.asarray(embeddings_NF[start : start + chunk], np.float32)
        near, distance = _nearest(embeddings, sample, half, count)
        weight = 1.0 / np.maximum(distance, 1e-6) ** 2
        weight /= weight.sum(1, keepdims=True)
        places[start : start + chunk] = (projection.xy_N2[near] * weight[..., None]).sum(1)
        tell(start + len(embeddings), len(places))
    return places


def _half_squares(sample_NF: Array) -> Array:
    """Half the squared length of each row, float32."""
    return np.asarray((sample_NF.astype(np.float64) ** 2).sum(1).astype(np.float32) / 2)


def _nearest(embeddings_BF: Array, sample_NF: Array, half_N: Array, count: int) -> tuple[Array, Array]:
    """Indices (B, count) of the nearest sample points of each embedding, nearest first, and their distances, float64.

    Matrix products round differently with the size of a batch, so they only choose candidates; the distances are then computed
    for each embedding alone.
    """
    candidates = min(4 * count, len(sample_NF))
    products = torch.from_numpy(half_N - embeddings_BF @ sample_NF.T)
    near = products.topk(candidates, largest=False, sorted=False).indices.numpy()
    near.sort(axis=1)
    distance = np.empty(near.shape)
    for start in range(0, len(near), BLOCK):
        block = slice(start, start + BLOCK)
        gaps = sample_NF[near[block]]
        gaps -= embeddings_BF[block, None]
        np.square(gaps, out=gaps).sum(2, dtype=np.float64, out=distance[block])
    np.sqrt(distance, out=distance)
    order = np.argsort(distance, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(near, order, 1), np.take_along_axis(distance, order, 1)


def _components(sample: Array) -> Array:
    plane = np.zeros((len(sample), 2), np.float32)
    count = min(2, *sample.shape)
    if len(sample) > 1 and count:
        plane[:, :count] = PCA(count, svd_solver="full").fit_transform(sample)
    return plane


def tsne(embeddings_NF: Array, seed: int = 0) -> Projection:
    """Positions of all embeddings by t-SNE; for a few thousand rows. PCA for fewer than 10 different rows."""
    from sklearn.manifold import TSNE

    embeddings = np.ascontiguousarray(embeddings_NF, np.float32)
    if len(np.unique(embeddings, axis=0)) < 10:
        return Projection(embeddings, _components(embeddings), "pca")
    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    reducer = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
    return Projection(embeddings, np.asarray(reducer.fit_transform(embeddings), np.float32), "tsne")
