"""FilmRows: rows of films.zarr as training reads them: in memory where they are few, else chunk by chunk from the store."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ....stores.array import StoredArray
from ....stores.folder import Folder
from ....stores.frame import Array, Box
from ...pipeline.modality import FILMS_PER_CHUNK
from .layout import IMAGES

IN_MEMORY = 1 << 30
"""Bytes of films that are held in memory, at most."""
CHUNKS_KEPT = 64


class FilmRows:
    """Films by their place among chosen rows: indexing gives (n, 1, side, side) uint8; see `models.batches.Patches`."""

    def __init__(self, folder: Folder, rows: Array) -> None:
        """`rows`: rows of films.zarr, ascending."""
        self._array = StoredArray.open(folder.films / IMAGES)
        self.rows = np.asarray(rows, np.int64)
        self.side = self._array.spec.shape[-1]
        self._chunk = lru_cache(CHUNKS_KEPT)(self._read_chunk)
        self._values = self._read(self.rows) if len(self.rows) * self.side**2 <= IN_MEMORY else None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Array) -> Array:
        films = self._read(self.rows[index]) if self._values is None else self._values[index]
        return films[:, None]

    def _read(self, rows: Array) -> Array:
        films = np.empty((len(rows), self.side, self.side), np.uint8)
        chunks = rows // FILMS_PER_CHUNK
        for chunk in np.unique(chunks):
            here = np.flatnonzero(chunks == chunk)
            films[here] = self._chunk(int(chunk))[rows[here] % FILMS_PER_CHUNK]
        return films

    def _read_chunk(self, chunk: int) -> Array:
        first = chunk * FILMS_PER_CHUNK
        last = min(first + FILMS_PER_CHUNK, self._array.spec.shape[0])
        return self._array.read(Box((first, 0, 0), (last, self.side, self.side)))
