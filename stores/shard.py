"""Shards: encoding and decoding of zarr v3 `sharding_indexed` chunks; equal cells give equal bytes.

```text
| chunk | crc | chunk | crc | ... | index: (offset, length) per chunk, C order | crc |
```
This replaces zarr-python for writing: a unit holds whole shards in memory, their bytes must not depend on the timing of
threads, and they are written once, atomically (see `files.write_whole`). zarr-python and tensorstore can read them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any, Literal

import numpy as np

from ..errors import CorruptError
from .bounded_codecs import unpacked
from .files import checksum
from .foreign import foreign
from .frame import Array, Box

ABSENT_CHUNK = np.uint64(2**64 - 1)
"""Offset and length of an absent chunk, which reads as the fill value."""

CodecName = Literal["zstd", "lz4", "none"]
ShuffleName = Literal["bitshuffle", "noshuffle"]
SHUFFLES: Mapping[ShuffleName, int] = {"bitshuffle": 2, "noshuffle": 0}
"""Numbers of blosc."""


@dataclass(frozen=True, slots=True)
class Codec:
    """Lossless compression of one chunk: blosc at level 1, or none at all; always followed by crc32c."""

    name: CodecName = "zstd"
    shuffle: ShuffleName = "bitshuffle"
    """Bitshuffle makes neighbours that differ little alike; it only costs time where they are equal."""

    def metadata(self, dtype: np.dtype[Any]) -> list[dict[str, Any]]:
        """The chunk's codec pipeline as zarr.json states it."""
        endian = {"configuration": {"endian": "little"}} if dtype.itemsize > 1 else {}
        pipeline: list[dict[str, Any]] = [{"name": "bytes", **endian}]
        if self.name != "none":
            blosc = {
                "typesize": dtype.itemsize,
                "cname": self.name,
                "clevel": 1,
                "shuffle": self.shuffle,
                "blocksize": 0,
            }
            pipeline.append({"name": "blosc", "configuration": blosc})
        return [*pipeline, {"name": "crc32c"}]

    def encode(self, chunk: Array) -> bytes:
        """The bytes of a contiguous chunk, before their checksum."""
        if self.name == "none":
            return chunk.tobytes()
        data: bytes = _blosc().blosc_encode(
            chunk,
            level=1,
            compressor=self.name,
            shuffle=SHUFFLES[self.shuffle],
            typesize=chunk.dtype.itemsize,
            blocksize=0,
            numthreads=1,  # blosc's own threads would compete with the pool
        )
        return data

    def decode(self, data: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """The chunk. Raises ValueError or TypeError; for data that state more than its bytes, before they are unpacked."""
        if self.name == "none":
            return np.frombuffer(data, dtype).reshape(shape)
        memory = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
        chunk = memory.view(dtype).reshape(shape)  # TypeError for objects, whose bytes must not come from a file
        unpacked("blosc", data, memory.nbytes)
        if (count := len(_blosc().blosc_decode(data, numthreads=1, out=memory))) != memory.nbytes:
            raise ValueError(f"{count} bytes where the chunk has {memory.nbytes}")
        return chunk


@cache
def _blosc() -> Any:
    """imagecodecs, whose blosc has loops for each processor; it is loaded with the first chunk."""
    import imagecodecs

    return imagecodecs


class ShardEncoder:
    """The chunks of one shard, each encoded once as `dtype`, in any order and by any thread; those not put are absent."""

    def __init__(self, chunk: Sequence[int], codec: Codec, shard: Sequence[int], dtype: np.dtype[Any]) -> None:
        self.grid = tuple(-(-n // c) for n, c in zip(shard, chunk, strict=True))
        self._chunk, self._codec, self._dtype = tuple(chunk), codec, dtype.newbyteorder("<")
        self._pieces: dict[tuple[int, ...], tuple[bytes, bytes]] = {}
        self._constant: dict[bytes, tuple[bytes, bytes]] = {}  # a chunk of one value is encoded once

    def put(self, at: tuple[int, ...], piece: Array) -> None:
        """Encode the chunk at `at` of the grid. A partial one is padded with its edge values (never read, and they compress
        well)."""
        if piece.shape != self._chunk:
            piece = np.pad(piece, [(0, c - n) for c, n in zip(self._chunk, piece.shape, strict=True)], mode="edge")
        first = piece.flat[0]
        # most chunks are told by their last cell, or their first plane
        if piece.flat[-1] == first and (piece[0] == first).all() and (piece == first).all():
            self.put_value(at, first)
        else:
            self._pieces[at] = self._encoded(piece)

    def put_value(self, at: tuple[int, ...], value: Any) -> None:
        """Let all cells of a chunk have one value."""
        cell = np.array(value, self._dtype)
        key = cell.tobytes()
        if key not in self._constant:
            self._constant[key] = self._encoded(np.full(self._chunk, cell))
        self._pieces[at] = self._constant[key]

    def absent(self, shape: Sequence[int]) -> list[tuple[int, ...]]:
        """Places in the grid of the chunks that cover the first cells of the shard, of this shape, and that none has put."""
        needed = product(*(range(-(-n // c)) for n, c in zip(shape, self._chunk, strict=True)))
        return [at for at in needed if at not in self._pieces]

    def _encoded(self, piece: Array) -> tuple[bytes, bytes]:
        stored = piece.astype(self._dtype, copy=False)
        data = self._codec.encode(np.ascontiguousarray(stored))
        return data, checksum(data).to_bytes(4, "little")

    def parts(self) -> list[bytes]:
        """The bytes of the shard, in parts: its chunks in C order, and their index."""
        table: list[tuple[int, int]] = []
        parts: list[bytes] = []
        offset = 0
        for at in product(*map(range, self.grid)):
            pieces = self._pieces.get(at, ())
            length = sum(map(len, pieces))
            table.append((offset, length) if pieces else (int(ABSENT_CHUNK),) * 2)
            offset += length
            parts += pieces
        tail = np.array(table, "<u8").tobytes()
        return [*parts, tail, checksum(tail).to_bytes(4, "little")]


def encode_shard(
    block: Array,
    chunk: Sequence[int],
    codec: Codec,
    *,
    pool: ThreadPoolExecutor | None = None,
    shard: Sequence[int] = (),
) -> list[bytes]:
    """The bytes of a shard that holds `block`, cut into chunks in C order; in parts, as they are written.

    `block` may be smaller than `shard` (by default the shape of `block`) where the array ends: chunks outside are absent,
    partial ones are padded. Chunks of a masked array that are masked throughout are absent.
    """
    encoder = ShardEncoder(chunk, codec, tuple(shard) or block.shape, block.dtype)
    hidden = np.ma.getmaskarray(block) if isinstance(block, np.ma.MaskedArray) else None
    values = np.ma.getdata(block)

    def put(at: tuple[int, ...]) -> None:
        where = tuple(slice(i * c, (i + 1) * c) for i, c in zip(at, chunk, strict=True))
        if hidden is None or not hidden[where].all():
            encoder.put(at, values[where])

    chunks = np.ndindex(*(-(-n // c) for n, c in zip(values.shape, chunk, strict=True)))
    for _ in pool.map(put, chunks) if pool else map(put, chunks):
        pass
    return encoder.parts()


@dataclass(frozen=True, slots=True)
class ShardLayout:
    """Chunk grid and codec of a shard, as needed to read it."""

    shard: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: np.dtype[Any]
    codec: Codec

    @property
    def grid(self) -> tuple[int, ...]:
        return tuple(-(-n // c) for n, c in zip(self.shard, self.chunk, strict=True))

    @property
    def index_bytes(self) -> int:
        return 16 * math.prod(self.grid) + 4

    def decode(self, data: bytes, at: tuple[int, ...], name: str) -> Array:
        """Values of the chunk at `at` from its encoded bytes, to be read only. Raises CorruptError, with the shard's `name`."""
        with foreign(partial(_undecodable, at, name)):
            return self.codec.decode(data, self.chunk, self.dtype)


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """Where the chunks of a shard lie in its file."""

    table: Array
    """(offset, length) of each chunk in bytes, shape (*grid, 2)."""
    size: int
    """Bytes of the file."""
    name: str

    @classmethod
    def read(cls, pread: Callable[[int, int], bytes], size: int, layout: ShardLayout, name: str) -> ShardIndex:
        """The index of a shard of `size` bytes. Raises CorruptError, with the shard's `name`, if it fails its checksum."""
        if size < layout.index_bytes:
            raise CorruptError(
                f"{name} has {size} bytes, its index alone needs {layout.index_bytes}: it was cut short."
            )
        tail = pread(layout.index_bytes, size - layout.index_bytes)
        if checksum(tail[:-4]) != int.from_bytes(tail[-4:], "little"):
            raise CorruptError(f"the index of {name} fails its checksum: the file was changed after it was written.")
        return cls(np.frombuffer(tail[:-4], "<u8").reshape(*layout.grid, 2), size, name)

    def stored(self, pread: Callable[[int, int], bytes], at: tuple[int, ...]) -> bytes | None:
        """The encoded bytes of the chunk at `at` of the grid; None for an absent one.

        Raises CorruptError if they fail their checksum."""
        offset, length = self.table[at]
        if offset == ABSENT_CHUNK:
            return None
        if int(offset) + int(length) > self.size:
            raise CorruptError(
                f"the index of {self.name} places chunk {at} behind the file's end: it was not written so."
            )
        data = pread(int(length), int(offset))
        body = data[:-4]
        if len(data) != length or checksum(body) != int.from_bytes(data[-4:], "little"):
            raise CorruptError(
                f"chunk {at} of {self.name} fails its checksum: the file was changed after it was written."
            )
        return body


def decode_shard(
    pread: Callable[[int, int], bytes], size: int, layout: ShardLayout, *, box: Box, out: Array, name: str
) -> None:
    """Copy the cells of `box` (counted from the shard's start) into `out`, reading only the chunks that it touches.

    `pread(length, offset)` reads bytes of the shard, which has `size` bytes; absent chunks leave `out` unchanged.
    Raises CorruptError, with the shard's `name`, if the index or a chunk fails its checksum.
    """
    index = ShardIndex.read(pread, size, layout, name)
    for piece in box.cut(layout.chunk):
        at = tuple(a // c for a, c in zip(piece.start, layout.chunk, strict=True))
        data = index.stored(pread, at)
        if data is None:
            continue
        chunk = layout.decode(data, at, name)
        inside = piece.shift([-i * c for i, c in zip(at, layout.chunk, strict=True)])
        out[piece.shift([-a for a in box.start]).slices] = chunk[inside.slices]


def _undecodable(at: tuple[int, ...], name: str, why: str) -> CorruptError:
    return CorruptError(f"chunk {at} of {name} cannot be decoded ({why}): the file was changed after it was written.")
