"""Projection: codes as points of a plane, to look at. Fitted on a sample; all others are placed one by one.

UMAP's own transform depends on what else is in the batch and is slow. Here a code is placed at the mean of its nearest
sample points, weighted by inverse distance: a function of that code alone, so that workers may cut batches as they like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import umap
from sklearn.decomposition import PCA

Array = npt.NDArray[Any]
UMAP_NEIGHBOURS = 15
"""Of UMAP's graph."""
PLACING_NEIGHBOURS = 5
"""Sample points that place a code."""
MIN_UMAP_POINTS = 3 * UMAP_NEIGHBOURS
"""Under this many points UMAP has nothing to learn from; the two main components are shown."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A sample in the plane."""

    sample_NF: Array  # noqa: N815
    xy_N2: Array  # noqa: N815
    """float32."""
    method: str
    """"umap" or "pca"; say which where it is shown."""


def fit_umap(sample_NF: Array, seed: int = 0, epochs: int = 200) -> Projection:
    """Lay out a sample; the same seed gives the same plane. Under 45 points by PCA."""
    sample = np.ascontiguousarray(sample_NF, dtype=np.float32)
    if len(np.unique(sample, axis=0)) < MIN_UMAP_POINTS:
        return Projection(sample, _components(sample), "pca")
    reducer = umap.UMAP(n_neighbors=UMAP_NEIGHBOURS, n_epochs=epochs, random_state=seed, n_jobs=1, init="pca")
    return Projection(sample, np.asarray(reducer.fit_transform(sample), np.float32), "umap")


def embed_points(embeddings_NF: Array, projection: Projection, chunk: int = 2048) -> Array:
    """Where codes belong in the plane, float32 (N, 2); a code of the sample lands on its own point."""
    sample = projection.sample_NF
    count = min(PLACING_NEIGHBOURS, len(sample))
    places = np.zeros((len(embeddings_NF), 2), np.float32)
    if count == 0:
        return places
    half = (sample.astype(np.float64) ** 2).sum(1).astype(np.float32) / 2
    for start in range(0, len(embeddings_NF), chunk):
        embeddings = np.asarray(embeddings_NF[start : start + chunk], np.float32)
        # Products of matrices round differently with the batch: they choose candidates only, the distances that count
        # are worked out code by code.
        near = np.argpartition(half - embeddings @ sample.T, min(4 * count, len(sample) - 1), axis=1)[:, : 4 * count]
        near.sort(axis=1)
        distance = np.sqrt(((sample[near] - embeddings[:, None]) ** 2).sum(2, dtype=np.float64))
        order = np.argsort(distance, axis=1, kind="stable")[:, :count]
        near, distance = np.take_along_axis(near, order, 1), np.take_along_axis(distance, order, 1)
        weight = 1.0 / np.maximum(distance, 1e-6) ** 2
        weight /= weight.sum(1, keepdims=True)
        places[start : start + chunk] = (projection.xy_N2[near] * weight[..., None]).sum(1)
    return places


def _components(sample: Array) -> Array:
    plane = np.zeros((len(sample), 2), np.float32)
    count = min(2, *sample.shape)
    if len(sample) > 1 and count:
        plane[:, :count] = PCA(count, svd_solver="full").fit_transform(sample)
    return plane


def tsne(embeddings_NF: Array, seed: int = 0) -> Array:
    """All codes in the plane by t-SNE, float32 (N, 2); for a few thousand. Under 10 of them by their main components."""
    from sklearn.manifold import TSNE

    embeddings = np.ascontiguousarray(embeddings_NF, np.float32)
    if len(np.unique(embeddings, axis=0)) < 10:
        return _components(embeddings)
    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    return np.asarray(
        TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(embeddings), np.float32
    )
