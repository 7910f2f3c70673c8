"""Components: principal components of volumes by their inner products, the baseline of a network of the same embedding size.

Neither volumes nor components are held in memory: n volumes need n² numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..batches import Patches, in_order
from ..networks.autoencoder import to_float

Array = npt.NDArray[Any]
VOLUMES_PER_READ = 64
"""Volumes that are read at once."""


class Components:
    """The `embedding_size` strongest components of `volumes`; n volumes have at most n - 1.

    >>> draw = np.random.default_rng(0)
    >>> volumes = draw.integers(0, 255, (6, 1, 4, 4, 4), dtype=np.uint8)
    >>> components = Components(volumes, 150)
    >>> components.embeddings(volumes).shape, float(components.squared_errors(volumes).max()) < 1e-6
    ((6, 5), True)
    """

    def __init__(self, volumes: Patches, embedding_size: int) -> None:
        self._volumes = volumes
        self._space = _Space(_products(volumes, volumes), embedding_size)

    def embeddings(self, volumes: Patches) -> Array:
        """Embeddings (n, F), float32."""
        return self._space.embeddings(_products(volumes, self._volumes)).astype(np.float32)

    def read(self, volumes: Patches) -> tuple[Array, Array]:
        """(embeddings, float32 (n, F), strongest component first; squared distance of each volume from the mean, float64 (n,)).

        The squared error of the first k components is that distance minus the squares of the first k numbers.
        """
        products = _products(volumes, self._volumes)
        return self._space.embeddings(products).astype(np.float32), self._space.distances(products, _squares(volumes))

    def squared_errors(self, volumes: Patches) -> Array:
        """Mean squared error of each volume's reconstruction from its embedding, float64 (n,), for values in [0, 1]."""
        products, cells = _products(volumes, self._volumes), np.prod(volumes[np.zeros(1, np.int64)].shape)
        length = self._space.distances(products, _squares(volumes))
        return np.asarray(np.maximum(length - np.square(self._space.embeddings(products)).sum(1), 0.0) / cells)


class ComponentsOfFolds:
    """Components of several parts of the same volumes, from inner products that are computed once for all parts."""

    def __init__(self, volumes: Patches) -> None:
        self._products, self._squares = _products(volumes, volumes), _squares(volumes)

    def read(self, rows: Array) -> tuple[Array, Array]:
        """What `Components.read` gives of all volumes, by all components of those in `rows`, int (n,)."""
        space, products = _Space(self._products[np.ix_(rows, rows)], len(rows) - 1), self._products[:, rows]
        return space.embeddings(products).astype(np.float32), space.distances(products, self._squares)


class _Space:
    """The strongest components of volumes, by their inner products (n, n); others are placed by theirs with these (m, n)."""

    def __init__(self, products: Array, embedding_size: int) -> None:
        self._mean, self._all = products.mean(0), products.mean()
        values, vectors = np.linalg.eigh(self._centred(products))
        kept = np.flatnonzero(values > max(values.max(), 0.0) * 1e-9)[::-1][: min(embedding_size, len(products) - 1)]
        self._weights = vectors[:, kept] / np.sqrt(values[kept])

    def embeddings(self, products: Array) -> Array:
        return np.asarray(self._centred(products) @ self._weights)

    def distances(self, products: Array, squares: Array) -> Array:
        """Squared distance of each volume from the mean, by its inner product with itself, float64 (m,)."""
        return np.asarray(np.maximum(squares - 2 * products.mean(1) + self._all, 0.0))

    def _centred(self, products: Array) -> Array:
        return np.asarray(products - products.mean(1, keepdims=True) - self._mean + self._all)


def _products(first: Patches, second: Patches) -> Array:
    products = np.empty((len(first), len(second)))
    for rows in in_order(len(first), VOLUMES_PER_READ):
        rows_by_cell = _flattened(first, rows)
        for columns in in_order(len(second), VOLUMES_PER_READ):
            if first is second and columns[0] > rows[0]:
                continue
            columns_by_cell = rows_by_cell if first is second and columns[0] == rows[0] else _flattened(second, columns)
            products[np.ix_(rows, columns)] = rows_by_cell @ columns_by_cell.T
            if first is second:
                products[np.ix_(columns, rows)] = products[np.ix_(rows, columns)].T
    return products


def _squares(volumes: Patches) -> Array:
    """Inner product of each volume with itself, float64 (n,)."""
    squares = np.empty(len(volumes))
    for rows in in_order(len(volumes), VOLUMES_PER_READ):
        squares[rows] = np.square(_flattened(volumes, rows), dtype=np.float64).sum(1)
    return squares


def _flattened(volumes: Patches, rows: Array) -> Array:
    return np.asarray(to_float(volumes[rows]).flatten(1).numpy())
