"""StoredArray: one sharded zarr v3 array on disk, written a whole shard at a time and read back box by box.

A missing shard is an error, not a fill value: tile-engine writes every shard that it plans, empty ones too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CorruptError
from .files import crc32, patiently, ranges, read_json, write_json, write_whole
from .foreign import foreign
from .frame import Array, Box
from .regular import read_regular
from .shard import Codec, ShardEncoder, ShardIndex, ShardLayout, decode_shard, encode_shard
from .tile_reader import TileReader
from .zarr_limits import check_limits

WHOLE_SHARD_FROM = 8
"""A read of at least 1 / this of a shard fetches the whole shard from an object store: requests cost more than bytes."""


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """Contents of an array's zarr.json. Axes of images are (channel, *spatial)."""

    shape: tuple[int, ...]
    dtype: str
    shard: tuple[int, ...]
    chunk: tuple[int, ...]
    names: tuple[str, ...]
    fill: float = 0
    codec: Codec = Codec()

    def __post_init__(self) -> None:
        if any(s % c for s, c in zip(self.shard, self.chunk, strict=True)):
            raise ValueError(f"a shard holds whole chunks: shard {self.shard}, chunk {self.chunk}")

    @property
    def shards(self) -> Iterator[Box]:
        """The box of each shard, clipped to the array."""
        return Box((0,) * len(self.shape), self.shape).cut(self.shard)

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def metadata(self) -> dict[str, Any]:
        dtype = np.dtype(self.dtype)
        endian = {"name": "bytes", "configuration": {"endian": "little"}}
        sharding = {
            "chunk_shape": list(self.chunk),
            "codecs": self.codec.metadata(dtype),
            "index_codecs": [endian, {"name": "crc32c"}],
            "index_location": "end",
        }
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.shard)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": self.fill,
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
            "attributes": {},
            "dimension_names": list(self.names),
            "storage_transformers": [],
        }


@dataclass(frozen=True, slots=True)
class Written:
    """A file that a unit wrote, as its receipt names it: path, size in bytes, crc32."""

    path: Path
    size: int
    crc32: int


def written(path: Path) -> Written:
    """Size and checksum of an existing file."""
    data = read_regular(path)
    return Written(path, len(data), crc32(data))


class StoredArray:
    """A sharded array in its folder; `write` takes whole shards, `read` any box."""

    def __init__(self, path: Path, spec: ArraySpec) -> None:
        self.path = path
        self.spec = spec
        self._layout = ShardLayout(spec.shard, spec.chunk, np.dtype(spec.dtype).newbyteorder("<"), spec.codec)

    @classmethod
    def create(cls, path: Path, spec: ArraySpec) -> StoredArray:
        """Write the array's metadata; no shard is written yet."""
        write_json(path / "zarr.json", spec.metadata())
        return cls(path, spec)

    @classmethod
    def open(cls, path: Path) -> StoredArray:
        """Open an array. Raises CorruptError for metadata that is missing or that tile-engine does not write."""
        try:
            stamp = (path / "zarr.json").stat().st_mtime_ns
        except FileNotFoundError as error:
            raise CorruptError(f"{path} has no zarr.json: the array was never written, or was removed.") from error
        return cls(path, _spec(path, stamp))

    def shard_path(self, index: tuple[int, ...]) -> Path:
        return self.path.joinpath("c", *map(str, index))

    def write(self, box: Box, values: Array, pool: ThreadPoolExecutor | None = None) -> Written:
        """Write one whole shard; `box` is the shard, clipped where the array ends, and values have its shape.

        Raises ValueError for any other box: two writers of one shard would lose data silently.
        """
        path = self._path_of(box)
        if values.shape != box.shape:
            raise ValueError(f"values of shape {values.shape} do not fill {box} of shape {box.shape}")
        spec = self.spec
        values = values.astype(spec.dtype, copy=False)
        parts = encode_shard(values, spec.chunk, spec.codec, pool=pool, shard=spec.shard)
        return Written(path, write_whole(path, *parts), crc32(*parts))

    def encoder(self) -> ShardEncoder:
        """Of one shard that is put together chunk by chunk, for `write_encoded`."""
        return ShardEncoder(self.spec.chunk, self.spec.codec, self.spec.shard, np.dtype(self.spec.dtype))

    def write_encoded(self, box: Box, encoder: ShardEncoder) -> Written:
        """As `write`, where each chunk was encoded as it came. Raises ValueError where one of `box` was not."""
        path = self._path_of(box)
        if absent := encoder.absent(box.shape):
            raise ValueError(
                f"{len(absent)} chunks of {box} were not put, the first at {absent[0]}: they would read as fill"
            )
        parts = encoder.parts()
        return Written(path, write_whole(path, *parts), crc32(*parts))

    def _path_of(self, box: Box) -> Path:
        index = tuple(a // s for a, s in zip(box.start, self.spec.shard, strict=True))
        whole = Box(index, tuple(i + 1 for i in index)).refine(self.spec.shard) & Box(
            (0,) * len(index), self.spec.shape
        )
        if box != whole:
            raise ValueError(f"a write covers one whole shard: got {box}, the shard there is {whole}")
        return self.shard_path(index)

    def read(self, box: Box) -> Array:
        """Values of a box inside the array. Raises CorruptError for a shard that is missing or fails its checksum."""
        out = np.full(box.shape, self.spec.fill, self.spec.dtype)
        for part in box.cut(self.spec.shard):
            patiently(partial(self._read_part, part, out[part.shift([-a for a in box.start]).slices]))
        return out

    def _read_part(self, part: Box, out: Array) -> None:
        """Read into `out` the cells of a box that lies in one shard."""
        index = tuple(a // s for a, s in zip(part.start, self.spec.shard, strict=True))
        path = self.shard_path(index)
        local_box = part.shift([-i * s for i, s in zip(index, self.spec.shard, strict=True)])
        with self._shard_file(path, whole=part.size * WHOLE_SHARD_FROM >= math.prod(self.spec.shard)) as (read, size):
            decode_shard(read, size, self._layout, box=local_box, out=out, name=str(path))

    def chunk_reader(self) -> TileReader | None:
        """What decodes its chunks by their box along the spatial axes; None where chunks do not hold all channels."""
        chunk, shape = self.spec.chunk, self.spec.shape
        if self.spec.names[0] != "c" or chunk[0] != shape[0]:
            return None
        return TileReader(chunk[1:], self.spec.shard[1:], self._chunks)

    def _chunks(self, boxes: Sequence[Box]) -> Iterator[Array | None]:
        """Values of whole chunks of one shard, whose index is read once: (channel, *axes)."""
        if not boxes:
            return
        shape, shard = self.spec.chunk, self.spec.shard[1:]
        index = (0, *(a // s for a, s in zip(boxes[0].start, shard, strict=True)))
        local = [(0, *(a % s // c for a, s, c in zip(box.start, shard, shape[1:], strict=True))) for box in boxes]
        name = str(self.shard_path(index))
        for box, at, data in zip(boxes, local, patiently(partial(self._stored, index, local)), strict=True):
            if data is None:
                chunk = np.full(shape, self.spec.fill, self.spec.dtype)
            else:
                chunk = self._layout.decode(data, at, name)
            yield chunk[(slice(None), *(slice(n) for n in box.shape))]

    def _stored(self, index: tuple[int, ...], chunks: Sequence[tuple[int, ...]]) -> list[bytes | None]:
        """The stored bytes of some chunks of a shard; None for an absent one."""
        path = self.shard_path(index)
        with self._shard_file(path, whole=len(chunks) * WHOLE_SHARD_FROM >= math.prod(self._layout.grid)) as (
            read,
            size,
        ):
            shard = ShardIndex.read(read, size, self._layout, str(path))
            return [shard.stored(read, chunk) for chunk in chunks]

    @contextmanager
    def _shard_file(self, path: Path, *, whole: bool) -> Iterator[tuple[Callable[[int, int], bytes], int]]:
        try:
            with ranges(path, whole=whole) as opened:
                yield opened
        except FileNotFoundError as error:
            raise CorruptError(f"shard {path} is missing: it was written and then lost.") from error

    def read_all(self) -> Array:
        return self.read(Box((0,) * len(self.spec.shape), self.spec.shape))


@lru_cache(maxsize=4096)
def _spec(path: Path, stamp: int) -> ArraySpec:
    meta = read_json(path / "zarr.json")
    with foreign(lambda why: CorruptError(f"{path / 'zarr.json'} is of no array that tile-engine wrote ({why}).")):
        check_limits(meta)
        sharding = meta["codecs"][0]["configuration"]
        names = [codec["name"] for codec in sharding["codecs"]]
        blosc = next((c["configuration"] for c in sharding["codecs"] if c["name"] == "blosc"), None)
        if meta["codecs"][0]["name"] != "sharding_indexed" or names[-1] != "crc32c":
            raise KeyError("sharding_indexed ... crc32c")
        np.dtype(meta["data_type"]).newbyteorder("<").type(meta["fill_value"])
        if len(meta["dimension_names"]) != len(meta["shape"]) or not set(map(type, meta["dimension_names"])) <= {str}:
            raise ValueError(f"the axes {meta['dimension_names']} of the shape {meta['shape']}")
        return ArraySpec(
            shape=tuple(meta["shape"]),
            dtype=meta["data_type"],
            shard=tuple(meta["chunk_grid"]["configuration"]["chunk_shape"]),
            chunk=tuple(sharding["chunk_shape"]),
            names=tuple(meta["dimension_names"]),
            fill=meta["fill_value"],
            codec=Codec(blosc["cname"], blosc["shuffle"]) if blosc else Codec("none"),
        )
