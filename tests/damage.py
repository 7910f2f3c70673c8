"""Damage: tiles of a TIFF zeroed, emptied or cut off, as bad disks and broken copies leave them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import tifffile


def zeroed(path: Path, tiles: Iterable[int], page: int = 0) -> Path:
    """The bytes of these tiles become zeros: the file states them, and they cannot be decoded."""
    with tifffile.TiffFile(path) as tif:
        places = [(tif.pages[page].dataoffsets[i], tif.pages[page].databytecounts[i]) for i in tiles]
    with path.open("r+b") as file:
        for offset, count in places:
            file.seek(offset)
            file.write(bytes(count))
    return path


def emptied(path: Path, tiles: Iterable[int], page: int = 0) -> Path:
    """These tiles have no bytes: they are absent."""
    with tifffile.TiffFile(path, mode="r+b") as tif:
        counts = list(tif.pages[page].databytecounts)
        for i in tiles:
            counts[i] = 0
        tif.pages[page].tags["TileByteCounts"].overwrite(counts)
    return path


def cut(path: Path, tile: int, page: int = 0) -> Path:
    """The file ends where this tile begins."""
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[page].dataoffsets[tile]
    path.write_bytes(path.read_bytes()[:offset])
    return path
