"""Guarded: a slide with crashing tiles, which must not be decoded: decoding them ends the process, or never ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...errors import TileError
from ..frame import Array, Box
from ..source import Source
from ..tile_reader import TileReader

Piece = tuple[int, Box]
"""A level and a box of it, on the grid of the file's own tiles."""
Watch = Callable[[Piece, bool], None]
"""Called with (piece, False) before a piece is read and with (piece, True) after it."""

DEFAULT_PIECE_SIDE = 512
"""Cells along a piece of a slide that has no tiles of its own."""

_watch: Watch | None = None


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """In the `with` block guarded slides of this process are read piece by piece, one at a time; `watch` is called for each."""
    global _watch
    before, _watch = _watch, watch
    try:
        yield
    finally:
        _watch = before


@contextmanager
def announced(piece: Piece) -> Iterator[None]:
    """In the `with` block one piece is read, which `watched` is told before and after."""
    if _watch is not None:
        _watch(piece, False)
    yield
    if _watch is not None:
        _watch(piece, True)


def guarded(slide: Source, crashing: Collection[Piece]) -> Any:
    """The slide itself, or, if needed, a `Guarded` one whose `crashing` pieces raise TileError."""
    return slide if not crashing and _watch is None else Guarded(slide, crashing)


class Guarded:
    """A Source that wraps another one; all other attributes (notes, reader, ...) are those of the slide."""

    _lock = threading.Lock()

    def __init__(self, slide: Source, crashing: Collection[Piece]) -> None:
        self._slide, self._crashing = slide, tuple(crashing)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._slide, name)

    def tile_reader(self, level: int = 0) -> TileReader | None:
        """None: crashing tiles are left out by `read`, and announced there."""
        return None

    def read(self, box: Box, level: int = 0) -> Array:
        """Read a box of the slide; raises TileError for a box that touches a crashing piece."""
        if any(at == level and (box & piece).size for at, piece in self._crashing):
            raise TileError(f"{box} of level {level} holds a tile whose decoding ends the process or never ends.")
        if _watch is None:
            return self._slide.read(box, level)
        pixels = np.empty((self._slide.channels, *box.shape), self._slide.dtype)
        side = self._slide.tiles[level] if self._slide.tiles else (DEFAULT_PIECE_SIDE,) * len(box.start)
        for part in box.cut(side):
            # the whole tile crashes, whichever part of it is read
            piece = part.coarsen(side).refine(side)
            with self._lock:  # one at a time: the watcher must know which piece crashed
                _watch((level, piece), False)
                values = self._slide.read(part, level)
                _watch((level, piece), True)
            pixels[(slice(None), *part.shift([-a for a in box.start]).slices)] = values
        return pixels
