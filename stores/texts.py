"""Texts: a zarr v3 array of texts along one axis, which zarr-python and xarray open; written and read chunk by chunk.

```text
chunk = gzip( count | length, UTF-8 bytes | length, UTF-8 bytes | ... )     little-endian uint32; the `vlen-utf8` codec
```
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CorruptError
from .array import Written
from .bounded_codecs import unpacked
from .files import crc32, read_json, write_json, write_whole
from .foreign import foreign
from .frame import Array
from .regular import read_regular

PER_CHUNK = 4096
MAX_CHUNK_BYTES = 1 << 28
"""Bytes of one chunk before compression, at most."""


def write_texts(path: Path, texts: Iterable[str], count: int, *, axis: str) -> list[Written]:
    """Write `count` texts as an array with the dimension `axis`; returns its files. Raises ValueError for another number."""
    stream = iter(texts)
    chunk = min(PER_CHUNK, max(1, count))
    files, number = [], 0
    for part in _parts(stream, chunk):
        number += len(part)
        data = gzip.compress(_encoded([*part, *[""] * (chunk - len(part))]), 1, mtime=0)
        place = path / "c" / str((number - 1) // chunk)
        files.append(Written(place, write_whole(place, data), crc32(data)))
    if number != count:
        raise ValueError(f"{number} texts were given for {count} rows")
    document = path / "zarr.json"
    write_json(document, _metadata(count, chunk, axis))
    data = read_regular(document)
    return [*files, Written(document, len(data), crc32(data))]


def read_texts(path: Path, start: int = 0, stop: int | None = None) -> Array:
    """Texts [start, stop), all by default, as an object array (n,). Raises CorruptError for files that were changed."""
    if not (path / "zarr.json").exists():
        raise CorruptError(f"{path} holds no texts: it was never written, or was removed.")
    meta = read_json(path / "zarr.json")
    with foreign(partial(_damaged, path)):
        (count,), (chunk,) = meta["shape"], meta["chunk_grid"]["configuration"]["chunk_shape"]
        if meta["data_type"] != "string" or not 0 <= count < 2**31 or not 1 <= chunk <= PER_CHUNK:
            raise ValueError(f"{meta['data_type']} of shape {meta['shape']} in chunks of {chunk}")
        stop = count if stop is None else min(stop, count)
        texts = np.full(max(0, stop - start), "", object)
        for number in range(start // chunk, -(-stop // chunk)):
            part = np.array(_decoded(read_regular(path / "c" / str(number)), chunk), object)
            first, last = max(start, number * chunk), min(stop, (number + 1) * chunk)
            texts[first - start : last - start] = part[first - number * chunk : last - number * chunk]
    return texts


def _parts(stream: Iterator[str], size: int) -> Iterator[list[str]]:
    while part := list(islice(stream, size)):
        yield part


def _encoded(texts: Sequence[str]) -> bytes:
    parts = [len(texts).to_bytes(4, "little")]
    for text in texts:
        data = text.encode("utf-8", "replace")
        parts += [len(data).to_bytes(4, "little"), data]
    return b"".join(parts)


def _decoded(data: bytes, chunk: int) -> list[str]:
    raw = unpacked("gzip", data, MAX_CHUNK_BYTES) or b""
    if int.from_bytes(raw[:4], "little") != chunk:
        raise ValueError(f"{int.from_bytes(raw[:4], 'little')} texts in a chunk of {chunk}")
    texts, place = [], 4
    for _ in range(chunk):
        length = int.from_bytes(raw[place : place + 4], "little")
        if place + 4 + length > len(raw):
            raise ValueError("a text ends behind its chunk")
        texts.append(raw[place + 4 : place + 4 + length].decode())
        place += 4 + length
    return texts


def _damaged(path: Path, why: str) -> CorruptError:
    return CorruptError(f"{path} is not the array of texts that was written there ({why}).")


def _metadata(count: int, chunk: int, axis: str) -> dict[str, Any]:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [count],
        "data_type": "string",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [chunk]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": "",
        "codecs": [{"name": "vlen-utf8"}, {"name": "gzip", "configuration": {"level": 1}}],
        "attributes": {},
        "dimension_names": [axis],
        "storage_transformers": [],
    }
