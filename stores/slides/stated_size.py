"""Stated size: the height and width that the header of a compressed picture states, read before a decoder allocates them.

A tile of some bytes can hold a picture of any size: its own header decides what a decoder makes, not the TIFF around it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache

from ...errors import TileError

Size = tuple[int, int]
"""(height, width)."""
_HEADER_BYTES = 32
"""Bytes of a code stream within which its size stands."""
_TABLES_BYTES = 256
"""Bytes of a JPEG with tables of its own within which its size stands, as that precedes the longer ones."""
_SIZES = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
"""Markers of a JPEG, and of JPEG-LS, with which the size stands."""
_BARE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
"""Markers without a length; 00 is a stray byte FF."""
_END, _SCAN = 0xD9, 0xDA
_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, by the number that JPEG XL states instead of a width."""


def stated_size(data: bytes) -> Size | None:
    """The size that a JPEG, JPEG-LS, JPEG 2000, PNG, WebP or JPEG XL states; None where it begins like none of these.

    Raises TileError (E_MALFORMED) where it begins like one of them and its header gives no size. Pixels as such may begin like
    anything: only bytes that a decoder of pictures gets are asked.

    >>> stated_size(b"\\x89PNG\\r\\n\\x1a\\n\\0\\0\\0\\x0dIHDR\\0\\0\\0\\x07\\0\\0\\0\\x05")
    (5, 7)
    """
    for magic, name, size in _FORMATS:
        if data.startswith(magic):
            if found := size(data):
                return found
            raise TileError(f"it begins like a {name}, and its header states no size", "E_MALFORMED")
    return None


def jpeg_size(data: bytes) -> Size | None:
    """Of a JPEG; None if it states none. Bytes between two markers are skipped, as libjpeg skips them."""
    at = 2
    while 0 <= (at := data.find(b"\xff", at)) <= len(data) - 9:
        marker = data[at + 1]
        if marker in _SIZES:
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        if marker in (_SCAN, _END):
            return None
        if marker == 0xFF:  # fill
            at += 1
        elif marker in _BARE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


_size_in_head = lru_cache(maxsize=256)(jpeg_size)


def jpeg_size_of_tile(data: bytes) -> Size | None:
    """As `jpeg_size`: most tiles of a page begin with the same bytes, and state their size in these."""
    heads = (_size_in_head(data[:count]) for count in (_HEADER_BYTES, _TABLES_BYTES))
    return next(filter(None, heads), None) or jpeg_size(data)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, contents, or the beginning of them) of the boxes of a file that is made of boxes."""
    at = 0
    while at + 8 <= len(data):
        length, kind, begin = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], at + 8
        if length == 1:
            length, begin = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        end = at + length if length else len(data)
        if end < begin:
            return
        yield kind, data[begin : min(end, begin + _HEADER_BYTES)]
        at = end


def _jpeg_2000(data: bytes) -> Size | None:
    """From the marker SIZ, in the box of the code stream or at once: the reference grid less the offset of the image."""
    stream = data if data[0] else next((inner for kind, inner in _boxes(data) if kind == b"jp2c"), b"")
    if not stream.startswith(b"\xff\x4f\xff\x51") or len(stream) < 24:
        return None
    width, height, left, top = (int.from_bytes(stream[8 + 4 * i : 12 + 4 * i], "big") for i in range(4))
    return height - top, width - left


def _png(data: bytes) -> Size | None:
    is_header = data[12:16] == b"IHDR" and len(data) >= 24
    return (int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")) if is_header else None


def _webp(data: bytes) -> Size | None:
    kind, body = data[12:16], data[20:30]
    if len(body) < 10 or data[8:12] != b"WEBP" or kind not in (b"VP8X", b"VP8L", b"VP8 "):
        return None
    if kind == b"VP8X":
        return int.from_bytes(body[7:10], "little") + 1, int.from_bytes(body[4:7], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    return int.from_bytes(body[8:10], "little") & 0x3FFF, int.from_bytes(body[6:8], "little") & 0x3FFF


def _jpeg_xl(data: bytes) -> Size | None:
    """From the first bits of the code stream, which stands alone or lies in one box of a container, or in several."""
    stream = data[:_HEADER_BYTES] if data[0] else b"".join(itertools.islice(_jpeg_xl_parts(data), _HEADER_BYTES))
    if not stream.startswith(b"\xff\x0a") or len(stream) < 4:
        return None
    bits, place = int.from_bytes(stream[2:14], "little"), 0

    def take(count: int) -> int:
        nonlocal place
        place += count
        return bits >> (place - count) & ((1 << count) - 1)

    in_eights = take(1)

    def side() -> int:
        return (take(5) + 1) * 8 if in_eights else take((9, 13, 18, 30)[take(2)]) + 1

    height = side()
    ratio = take(3)
    if not ratio:
        return height, side()
    wide, high = _JXL_RATIOS[ratio - 1]
    return height, height * wide // high


def _jpeg_xl_parts(data: bytes) -> Iterator[bytes]:
    """The parts of a code stream; those in several boxes begin with a number."""
    for kind, inner in _boxes(data):
        if kind in (b"jxlc", b"jxlp"):
            yield inner if kind == b"jxlc" else inner[4:]


_FORMATS: tuple[tuple[bytes, str, Callable[[bytes], Size | None]], ...] = (
    (b"\xff\xd8", "JPEG", jpeg_size),
    (b"\xff\x4f\xff\x51", "JPEG 2000", _jpeg_2000),
    (b"\0\0\0\x0cjP  ", "JPEG 2000", _jpeg_2000),
    (b"\x89PNG", "PNG", _png),
    (b"RIFF", "WebP", _webp),
    (b"\xff\x0a", "JPEG XL", _jpeg_xl),
    (b"\0\0\0\x0cJXL ", "JPEG XL", _jpeg_xl),
)
