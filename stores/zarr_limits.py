"""Zarr limits: what the metadata of an array may claim. They are checked before a byte of a chunk is read or a cell allocated.

```text
metadata      chunks are few and of a bounded size, and so is the index of a shard     (here)
chunk         decodes to no more bytes than its shape and type say                     (bounded_codecs)
box to read   is read chunk by chunk where chunks are large                            (bounded_zarr)
```
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeGuard

MAX_CHUNK_BYTES = 2**29
"""Bytes of one decoded chunk."""
MAX_ARRAY_SIDE = 2**31
MAX_CHUNKS = 2**24
"""Chunks of an array, stored or not, along the axes that are read."""
SMALL_CHUNK_CELLS = 2**10
"""A chunk of fewer cells costs more to open than to decode."""
MAX_SMALL_CHUNKS = 2**16
"""Chunks of an array whose chunks are that small."""
MAX_CHUNKS_PER_SHARD = 2**20
"""Entries of a shard's index, which is read as a whole."""
MAX_AXES = 8
LARGEST_CELL = 8


class LimitError(ValueError):
    """Metadata that no image of a known writer needs: `code` says of which kind."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


def check_limits(meta: Mapping[str, Any], one_of: Collection[int] = ()) -> None:
    """Check an array's metadata document, of zarr v2 or v3, against all limits; of the axes `one_of` only one cell is read.

    Raises LimitError: E_MALFORMED (shapes that are none), E_BOMB (a chunk or an index of too many bytes), E_CHUNKS (too many
    chunks).
    """
    shape, chunk, shard = meta.get("shape"), chunk_shape(meta), outer_chunk_shape(meta)
    if not (_sizes(shape, 0) and _sizes(chunk, 1) and _sizes(shard, 1)) or not len(shape) == len(chunk) == len(shard):
        raise LimitError("E_MALFORMED", f"claims the shape {shape!r:.100} in chunks of {chunk!r:.100}")
    words = " x ".join(map(str, chunk))
    nbytes = math.prod(chunk) * _cell_bytes(meta)
    if nbytes > MAX_CHUNK_BYTES:
        raise LimitError(
            "E_BOMB",
            f"has chunks of {words} cells, {nbytes} bytes each and more than {MAX_CHUNK_BYTES}: it cannot be read within "
            "bounded memory. Rewrite it in smaller chunks",
        )
    if (entries := math.prod(-(-s // c) for s, c in zip(shard, chunk, strict=True))) > MAX_CHUNKS_PER_SHARD:
        raise LimitError(
            "E_BOMB", f"has {entries} chunks in a shard, more than {MAX_CHUNKS_PER_SHARD}. Rewrite it in smaller shards"
        )
    count = math.prod(-(-n // c) for i, (n, c) in enumerate(zip(shape, chunk, strict=True)) if i not in one_of)
    limit = MAX_SMALL_CHUNKS if math.prod(chunk) < SMALL_CHUNK_CELLS else MAX_CHUNKS
    if count > limit:
        raise LimitError(
            "E_CHUNKS",
            f"is cut into {count} chunks of {words} cells, more than {limit} of that size: reading them would not end in "
            "reasonable time. Rewrite it in larger chunks",
        )


def chunk_shape(meta: Mapping[str, Any]) -> Any:
    """The shape of the block that is decoded at once: a chunk, or the inner chunk of a shard."""
    for codec in _list(meta.get("codecs")):
        if isinstance(codec, dict) and codec.get("name") == "sharding_indexed":
            return _mapping(codec.get("configuration")).get("chunk_shape")
    return outer_chunk_shape(meta)


def outer_chunk_shape(meta: Mapping[str, Any]) -> Any:
    """The shape of the block that is one file: a chunk or a shard."""
    if "chunk_grid" in meta:
        return _mapping(_mapping(meta["chunk_grid"]).get("configuration")).get("chunk_shape")
    return meta.get("chunks")


def _sizes(value: Any, least: int) -> TypeGuard[Sequence[int]]:
    """Whether a value is a list of sizes."""
    listed = isinstance(value, list | tuple) and len(value) <= MAX_AXES
    return listed and all(type(n) is int and least <= n < MAX_ARRAY_SIDE for n in value)


def _cell_bytes(meta: Mapping[str, Any]) -> int:
    """Bytes of a cell by its type's name, in v3 ("uint16") or v2 ("<u2"); of other types those of the largest that is read."""
    name = str(meta.get("data_type", meta.get("dtype")))
    found = re.fullmatch(r"[u]?int(8|16|32|64)|float(16|32|64)|[|<>]?[uif]([1248])", name)
    return LARGEST_CELL if not found else int(found[3]) if found[3] else int(found[1] or found[2]) // 8


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
