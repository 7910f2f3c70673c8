"""Bounded codecs: decompression that stops where a chunk would become larger than its array's metadata say.

A file of some megabytes can state, or unpack to, any number of bytes: 3 MB of gzip become 6 GB. So what unpacks as a stream is
unpacked up to the limit and no further, and what states its size is refused before it is allocated.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Any

SLACK_BYTES = 2**16
"""Bytes by which a decoded chunk may exceed its cells: checksums and headers of codecs below."""
MAX_MEMBERS = 1000
"""Members of a stream."""
Bytes = Any
"""Bytes, or a view of them."""


class OversizeError(ValueError):
    """A chunk that decodes to more bytes than its array's metadata say."""


def is_bounded(name: str) -> bool:
    """Whether a codec, by the name that metadata give it, can make many bytes of few."""
    plain = name.removeprefix("numcodecs.")
    return plain == "zstd" or plain in _STREAMS or plain in _STATED


def unpacked(name: str, data: Bytes, limit: int) -> bytes | None:
    """What a codec makes of `data`; None where its bytes state no more than `limit`: then the codec itself may unpack them.

    Raises OversizeError for more than `limit` bytes, and what the library raises for damaged ones.
    """
    plain = name.removeprefix("numcodecs.")
    if plain in _STREAMS:
        return _streamed(_STREAMS[plain], data, limit)
    if plain == "zstd":
        return _zstd(data, limit)
    if plain in _STATED:
        stated, whole = _STATED[plain](data)
        if stated > limit:
            raise OversizeError(f"{plain} states {stated} bytes where the chunk has at most {limit}")
        if not whole:
            raise ValueError(f"{plain} states another number of packed bytes than there are")
    return None


def _streamed(new: Callable[[], Any], data: Bytes, limit: int) -> bytes:
    """All members of a stream, one behind the other; few of them, as each costs a copy of all that lie behind it."""
    parts, count, rest = list[bytes](), 0, data
    for _ in range(MAX_MEMBERS):
        member = new()
        parts.append(member.decompress(rest, limit + 1 - count))
        count += len(parts[-1])
        if count > limit:
            raise OversizeError(f"unpacks to more than the {limit} bytes that the chunk has")
        if not member.eof:
            raise EOFError("the packed bytes end early")
        rest = member.unused_data.lstrip(b"\0")
        if not rest:
            return b"".join(parts)
    raise ValueError(f"the packed bytes are a stream of more than {MAX_MEMBERS} members")


def _zstd(data: Bytes, limit: int) -> bytes:
    import imagecodecs

    try:
        return bytes(imagecodecs.zstd_decode(data, out=limit))
    except imagecodecs.ZstdError as error:
        if "too small" in str(error).lower():
            raise OversizeError(f"unpacks to more than the {limit} bytes that the chunk has") from error
        raise


def _blosc_size(data: Bytes) -> tuple[int, bool]:
    """(bytes that a blosc chunk states; whether it has as many packed bytes as it states)."""
    if len(data) < 16:
        raise EOFError("the packed bytes end early")
    return int.from_bytes(data[4:8], "little"), int.from_bytes(data[12:16], "little") == len(data)


def _lz4_size(data: Bytes) -> tuple[int, bool]:
    return int.from_bytes(data[:4], "little"), len(data) > 4


_STREAMS: Mapping[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31), "zlib": zlib.decompressobj, "bz2": bz2.BZ2Decompressor,
    "lzma": lzma.LZMADecompressor,
}  # fmt: skip
"""Codecs whose bytes do not state how many they become."""
_STATED: Mapping[str, Callable[[Bytes], tuple[int, bool]]] = {"blosc": _blosc_size, "lz4": _lz4_size}
"""Codecs whose first bytes do."""
