"""Bounded store: the files of an array that others wrote, of which zarr reads no more than the array's chunks can need.

Zarr reads a chunk's file whole, however large, and as many bytes of a shard as its index says: a sparse file of 100 GB takes no
room on a disk, and an entry of an index can state 2^62 bytes.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from zarr.abc.store import RangeByteRequest
from zarr.storage import LocalStore

from .bounded_codecs import SLACK_BYTES
from .zarr_limits import LARGEST_CELL

MAX_DOCUMENT_BYTES = 2**24
"""Bytes of a metadata document."""
_ENTRY_BYTES = 16 + 128
"""Bytes of a chunk in a shard beside its pixels: its entry in the index, and what codecs put around few bytes."""
_DOCUMENTS = frozenset({"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"})
_SAME_SIZE = ("BytesCodec", "TransposeCodec", "ShardingCodec")


class BoundedStore(LocalStore):
    """A folder for reading. What is larger than an array's metadata allow is a ValueError, before a byte of it is read."""

    def __init__(self, root: Path | str, *, read_only: bool = True) -> None:
        super().__init__(root, read_only=read_only)
        self._file_bytes = self._part_bytes = 0

    def bound(self, metadata: Any) -> None:
        """Allow the chunks, and the shards, that the array's metadata describe."""
        chunk, shard = _shapes(metadata)
        raw, count = math.prod(chunk) * cell_bytes(metadata), math.prod(shard) // math.prod(chunk)
        self._part_bytes = max(_packed(raw) + SLACK_BYTES, _ENTRY_BYTES * count)  # a chunk, or the index of its shard
        self._file_bytes = count * (_packed(raw) + _ENTRY_BYTES) + SLACK_BYTES

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        self._check(key, byte_range)
        return await super().get(key, prototype, byte_range)

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        requests = list(key_ranges)
        for key, byte_range in requests:
            self._check(key, byte_range)
        return await super().get_partial_values(prototype, requests)

    def _check(self, key: str, byte_range: Any) -> None:
        try:
            found = (self.root / key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return
        if stat.S_ISDIR(found.st_mode):
            return
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{key} is no regular file")
        size = found.st_size
        if byte_range is None:
            limit = MAX_DOCUMENT_BYTES if key.rpartition("/")[2] in _DOCUMENTS else self._file_bytes
            if size > limit:
                raise ValueError(f"{key} has {size} bytes, where its pixels need {limit} at most")
        elif isinstance(byte_range, RangeByteRequest):
            if not 0 <= byte_range.start <= byte_range.end <= size:
                raise ValueError(f"{key} has {size} bytes, where its index states bytes up to {byte_range.end}")
            if byte_range.end - byte_range.start > self._part_bytes:
                raise ValueError(
                    f"{key} states {byte_range.end - byte_range.start} bytes of a chunk that needs {self._part_bytes} at most"
                )


def cell_bytes(metadata: Any) -> int:
    """Bytes of a cell, of the widest type that a filter stores it in."""
    size = int(metadata.dtype.to_native_dtype().itemsize)
    if metadata.zarr_format == 3:
        shard = [one for one in metadata.codecs if type(one).__name__ == "ShardingCodec"]
        codecs = [*metadata.codecs, *(inner for one in shard for inner in one.codecs)]
        filters = [one for one in codecs if _is_filter(one)]
        return LARGEST_CELL if filters else size
    names = (one.get_config().get(key) for one in metadata.filters or () for key in ("dtype", "astype"))
    sizes = [size, *(int(np.dtype(name).itemsize) for name in names if name)]
    return min(max(sizes), LARGEST_CELL)


def _is_filter(codec: Any) -> bool:
    from zarr.abc.codec import ArrayArrayCodec

    return isinstance(codec, ArrayArrayCodec) and type(codec).__name__ not in _SAME_SIZE


def _shapes(metadata: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of a chunk and of what is one file."""
    if metadata.zarr_format == 2:
        return metadata.chunks, metadata.chunks
    whole = metadata.chunk_grid.chunk_shape
    inner = next((one.chunk_shape for one in metadata.codecs if type(one).__name__ == "ShardingCodec"), whole)
    return inner, whole


def _packed(raw: int) -> int:
    """Bytes that a codec may make of bytes that it cannot pack."""
    return raw + raw // 8
