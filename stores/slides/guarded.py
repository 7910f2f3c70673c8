"""Guarded: a slide of which some tiles must not be touched, because decoding them ends the process or never ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...errors import TileError
from ..frame import Array, Box
from ..source import Source

Piece = tuple[int, Box]
"""A level and a box of it, on the grid of the file's own tiles."""
Watch = Callable[[Piece, bool], None]
"""Told (piece, False) before a piece is read and (piece, True) after it."""

DEFAULT_PIECE_SIDE = 512
"""Cells along a piece of a slide that has no tiles of its own."""

_watch: Watch | None = None


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Within, every guarded slide of this process is read piece by piece, one at a time, and `watch` is told of each."""
    global _watch
    before, _watch = _watch, watch
    try:
        yield
    finally:
        _watch = before


def guarded(slide: Source, lethal: Collection[Piece]) -> Any:
    """The slide itself, or, where there is anything to guard against, one that refuses `lethal` pieces (TileError)."""
    return slide if not lethal and _watch is None else Guarded(slide, lethal)


class Guarded:
    """A Source over another one; what else the slide has (notes, reader, ...) is its own."""

    _lock = threading.Lock()

    def __init__(self, slide: Source, lethal: Collection[Piece]) -> None:
        self._slide, self._lethal = slide, tuple(lethal)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._slide, name)

    def read(self, box: Box, level: int = 0) -> Array:
        """As the slide does; raises TileError for a box that touches a lethal piece."""
        if any(at == level and (box & piece).size for at, piece in self._lethal):
            raise TileError(f"{box} of level {level} holds a tile whose decoding ends the process or never ends.")
        if _watch is None:
            return self._slide.read(box, level)
        pixels = np.empty((self._slide.channels, *box.shape), self._slide.dtype)
        side = self._slide.tiles[level] if self._slide.tiles else (DEFAULT_PIECE_SIDE,) * len(box.start)
        for part in box.cut(side):
            # the whole tile is what ends the process, whichever part is asked for
            piece = part.coarsen(side).refine(side)
            with self._lock:  # one at a time: whoever watches must know which piece it was
                _watch((level, piece), False)
                values = self._slide.read(part, level)
                _watch((level, piece), True)
            pixels[(slice(None), *part.shift([-a for a in box.start]).slices)] = values
        return pixels
