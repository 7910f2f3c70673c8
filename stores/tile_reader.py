"""TileReader: the tiles that a source stores, decoded one by one: each once, whole, and without a copy.

`Source.read` gives any box, in memory of its own. What takes parts of many tiles to other places needs neither: a tile is
decoded into memory of the thread, and its parts are copied from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .frame import Array, Box


@dataclass(frozen=True, slots=True)
class TileReader:
    """The tiles of one level; safe to use from several threads."""

    tile: tuple[int, ...]
    """Cells along each axis of a tile; tiles lie on multiples of it, and the frame clips the last ones."""
    group: tuple[int, ...]
    """Cells along each axis of a group of tiles that lie together: a row of tiles of a TIFF, a shard of a store."""
    decode: Callable[[Sequence[Box]], Iterator[Array | None]]
    """(boxes of tiles of one group, clipped by the frame) -> pixels (channel, *axes) of each; None if they cannot be decoded.
    Pixels are valid until the thread asks for the next tile, as their memory is used again, and must not be changed."""


@runtime_checkable
class Tiled(Protocol):
    """A source that may have tiles of its own."""

    def tile_reader(self, level: int = 0) -> TileReader | None:
        """What decodes the tiles of a level; None where it has none that are decoded one by one."""
        ...
