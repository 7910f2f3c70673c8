"""Batches: the rows of patches that step `index` of a phase reads; they depend on the seed and the index alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .seeds import numpy_generator

Array = npt.NDArray[Any]


class Patches(Protocol):
    """Stored patches: an array in memory or on disk; indices come sorted and without repeats within a batch."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Array, /) -> Array:
        """Patches (B, C, Y, X), uint8 or uint16."""


class Selection:
    """Some of the rows of stored patches.

    >>> Selection(np.arange(12).reshape(6, 1, 1, 2), np.array([1, 4]))[np.array([1])].ravel().tolist()
    [8, 9]
    """

    def __init__(self, patches: Patches, rows: Array) -> None:
        self._patches, self._rows = patches, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Array) -> Array:
        return self._patches[self._rows[index]]


class Shuffled:
    """Batches of `size` without repeats: each epoch in a new order; the rest of an epoch that fills no batch is dropped.

    >>> batches = Shuffled(count=10, size=4, seed=0, name="demo")
    >>> bool((batches[7] == Shuffled(10, 4, 0, "demo")[7]).all())
    True
    """

    def __init__(self, count: int, size: int, seed: int, name: str) -> None:
        self.count, self.size = count, min(size, count)
        self._seed, self._name = seed, name
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def __getitem__(self, index: int) -> Array:
        per_epoch = self.count // self.size
        epoch, place = divmod(index, per_epoch)
        if epoch != self._epoch:
            self._order = numpy_generator(self._seed, self._name, "epoch", epoch).permutation(self.count)
            self._epoch = epoch
        return np.sort(self._order[place * self.size : (place + 1) * self.size])


class Stratified:
    """Batches of `size` without repeats, stratified by class; class -1 = unknown, at most half of a batch.

    `even` 1 = known classes are equally frequent, 0 = as frequent as in the data; between them a power of the counts.

    A class with fewer items than its share gives all of them; the other classes fill the gap.

    >>> labels = np.array([0] * 90 + [1] * 10)
    >>> np.bincount(labels[Stratified(labels, size=8, seed=0, name="demo")[5]]).tolist()
    [4, 4]
    """

    def __init__(self, labels: Array, size: int, seed: int, name: str, *, even: float = 1.0) -> None:
        values, counts = np.unique(labels, return_counts=True)
        size = min(size, len(labels))
        labelled = values >= 0
        shares = np.minimum(counts / len(labels), 0.5 if labelled.any() else 1.0)
        weights = counts[labelled] ** (1.0 - even)
        shares[labelled] = (1.0 - shares[~labelled].sum()) * weights / max(weights.sum(), 1.0)
        part_sizes = np.minimum(np.floor(shares * size).astype(int), counts)
        while part_sizes.sum() < size:
            shortfall = np.where(part_sizes < counts, shares * size - part_sizes, -np.inf)
            part_sizes[shortfall.argmax()] += 1
        self._members = [np.flatnonzero(labels == value) for value in values]
        self._parts = [
            Shuffled(int(count), int(part), seed, f"{name}/{value}") if part else None
            for value, count, part in zip(values, counts, part_sizes, strict=True)
        ]

    def __getitem__(self, index: int) -> Array:
        pairs = zip(self._members, self._parts, strict=True)
        return np.sort(np.concatenate([members[part[index]] for members, part in pairs if part is not None]))


def in_order(count: int, size: int) -> Iterator[Array]:
    """All indices, batch after batch; the last batch may be short."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))
