"""Bounded zarr: opens arrays that others wrote, such that reading a box takes memory for the box and a few chunks.

No file gives more packed bytes than its chunks can need (see `bounded_store`), and the codecs of an opened array are wrapped:
none of them decodes to more than a chunk's own bytes (see `bounded_codecs`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from zarr import Array as ZarrArray
from zarr import open_array
from zarr.abc.codec import BytesBytesCodec
from zarr.codecs import ShardingCodec, ZstdCodec
from zarr.core.array import AsyncArray
from zarr.core.config import config
from zarr.registry import register_codec

from .bounded_codecs import SLACK_BYTES, is_bounded, unpacked
from .bounded_store import BoundedStore, cell_bytes
from .frame import Array, Box
from .zarr_limits import MAX_CHUNK_BYTES

LARGE_CHUNK_BYTES = 2**25
"""Chunks above this are decoded one after the other: zarr decodes several at once."""


def open_bounded(folder: Path, zarr_format: Literal[2, 3]) -> ZarrArray[Any]:
    """An array, opened for reading, whose metadata `zarr_limits.check_limits` has accepted."""
    store = BoundedStore(folder)
    array = open_array(store, mode="r", zarr_format=zarr_format)
    inner = array.async_array
    metadata: Any = inner.metadata
    store.bound(metadata)
    if metadata.zarr_format == 2:
        limit = math.prod(metadata.chunks) * cell_bytes(metadata) + SLACK_BYTES
        changes = {
            "compressor": None if metadata.compressor is None else _Bounded2(metadata.compressor, limit),
            "filters": tuple(_Bounded2(one, limit) for one in metadata.filters)
            if metadata.filters
            else metadata.filters,
        }
    else:
        changes = {"codecs": _bounded3(metadata.codecs)}
    return ZarrArray(AsyncArray(replace(metadata, **changes), inner.store_path, inner.config))


def read_box(array: ZarrArray[Any], at: tuple[Any, ...]) -> Array:
    """The cells of an array at whole numbers and slices without steps (`at`); large chunks are decoded one by one."""
    if math.prod(array.chunks) * array.dtype.itemsize <= LARGE_CHUNK_BYTES:
        return np.asarray(array[at])
    pairs = zip((s if isinstance(s, slice) else slice(s, s + 1) for s in at), array.shape, strict=True)
    spans = [one.indices(n)[:2] for one, n in pairs]
    box = Box(tuple(a for a, _ in spans), tuple(b for _, b in spans))
    out = np.empty(box.shape, array.dtype)
    for part in box.cut(array.chunks):
        out[part.shift([-a for a in box.start]).slices] = array[part.slices]
    return out[tuple(slice(None) if isinstance(s, slice) else 0 for s in at)]


class _Bounded2:
    """A codec of zarr v2 that decodes to a limited number of bytes."""

    codec_id = ""

    def __init__(self, inner: Any, limit: int) -> None:
        self._inner, self._limit, self.codec_id = inner, limit, str(inner.codec_id)

    def decode(self, buf: Any, out: Any = None) -> Any:
        found = unpacked(self.codec_id, memoryview(buf).cast("B"), self._limit)
        return self._inner.decode(buf) if found is None else found

    def encode(self, buf: Any) -> Any:
        return self._inner.encode(buf)

    def get_config(self) -> Any:
        return self._inner.get_config()

    @classmethod
    def from_config(cls, config: Any) -> Any:
        raise NotImplementedError("made from an opened array alone")


def _bounded3(codecs: Iterable[Any]) -> tuple[Any, ...]:
    """The codecs of zarr v3, also those inside a shard, with those that unpack bytes wrapped."""
    return tuple(map(_one_bounded3, codecs))


def _one_bounded3(codec: Any) -> Any:
    if isinstance(codec, ShardingCodec):
        inner, index = _bounded3(codec.codecs), codec.index_codecs
        place = codec.index_location
        return ShardingCodec(chunk_shape=codec.chunk_shape, codecs=inner, index_codecs=index, index_location=place)
    return _Bounded3(codec) if isinstance(codec, BytesBytesCodec) and is_bounded(_name(codec)) else codec


def _name(codec: Any) -> str:
    return str(codec.to_dict()["name"])


@dataclass(frozen=True)
class _Bounded3(BytesBytesCodec):
    """A codec of zarr v3 that decodes to as many bytes as its chunk has."""

    inner: Any
    is_fixed_size = False

    def to_dict(self) -> Any:
        return self.inner.to_dict()

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        return int(self.inner.compute_encoded_size(input_byte_length, chunk_spec))

    def evolve_from_array_spec(self, array_spec: Any) -> _Bounded3:
        return _Bounded3(self.inner.evolve_from_array_spec(array_spec))

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        found = await asyncio.to_thread(_unpacked, _name(self.inner), chunk_bytes, chunk_spec)
        return await self.inner._decode_single(chunk_bytes, chunk_spec) if found is None else found


class _BoundedZstd(ZstdCodec):
    """The codec of tables, likewise."""

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(_unpacked, "zstd", chunk_bytes, chunk_spec)


def _unpacked(name: str, chunk_bytes: Any, chunk_spec: Any) -> Any:
    """A chunk as a buffer of zarr's; None where its codec may unpack it itself."""
    dtype = chunk_spec.dtype.to_native_dtype()
    is_text = dtype.kind not in "biufc"
    limit = MAX_CHUNK_BYTES if is_text else math.prod(chunk_spec.shape) * dtype.itemsize + SLACK_BYTES
    found = unpacked(name, memoryview(chunk_bytes.as_numpy_array()).cast("B"), limit)
    if is_text and found is not None and int.from_bytes(found[:4], "little") != math.prod(chunk_spec.shape):
        raise ValueError(f"a chunk of {math.prod(chunk_spec.shape)} texts states another number of them")
    return None if found is None else chunk_spec.prototype.buffer.from_bytes(found)


register_codec("zstd", _BoundedZstd, qualname="tile_engine.BoundedZstd")  # used only where `bounded_tables` says so


def bounded_tables() -> AbstractContextManager[Any]:
    """Context in which tables (zarr v3, zstd) that anndata reads are unpacked within the limits of their chunks."""
    context: AbstractContextManager[Any] = config.set(
        {"codecs.zstd": "tile_engine.BoundedZstd", "async.concurrency": 4}
    )
    return context
