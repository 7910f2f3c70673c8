"""Stated size: the height and width that the header of a compressed picture states, read before a decoder allocates them.

A tile of some bytes can hold a picture of any size: its own header decides what a decoder makes, not the TIFF around it.
"""

from __future__ import annotations

from collections.abc import Callable

Size = tuple[int, int]
"""(height, width)."""
MAX_HEADER_BYTES = 2**12
_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, by the number that JPEG XL states instead of a width."""


def stated_size(data: bytes) -> Size | None:
    """The size that a JPEG, JPEG 2000, PNG, WebP or JPEG XL states; None where it has no header of these.

    >>> stated_size(b"\\x89PNG\\r\\n\\x1a\\n" + bytes(8) + b"\\0\\0\\0\\x07\\0\\0\\0\\x05")
    (5, 7)
    """
    for magic, size in _FORMATS:
        if data.startswith(magic):
            return size(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    return None


def jpeg_size(data: bytes) -> Size | None:
    """Of a JPEG; None if it states none."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        elif marker in (0xD8, 0x01) or 0xD0 <= marker <= 0xD7:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _jpeg_2000(data: bytes) -> Size | None:
    """From the marker SIZ, behind the boxes of a JP2 file or at once: the reference grid less the offset of the image."""
    at = data[:MAX_HEADER_BYTES].find(b"\xff\x4f\xff\x51")
    if at < 0 or len(data) < at + 24:
        return None
    width, height, left, top = (int.from_bytes(data[at + 8 + 4 * i : at + 12 + 4 * i], "big") for i in range(4))
    return height - top, width - left


def _png(data: bytes) -> Size | None:
    return (int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")) if len(data) >= 24 else None


def _webp(data: bytes) -> Size | None:
    kind, body = data[12:16], data[20:]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return int.from_bytes(body[7:10], "little") + 1, int.from_bytes(body[4:7], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    return int.from_bytes(body[8:10], "little") & 0x3FFF, int.from_bytes(body[6:8], "little") & 0x3FFF


def _jpeg_xl(data: bytes) -> Size | None:
    """From the first bits of the code stream, which lies in a box of a container or stands alone."""
    at = data[:MAX_HEADER_BYTES].find(b"\xff\x0a")
    if at < 0:
        return None
    bits, place = int.from_bytes(data[at + 2 : at + 14], "little"), 0

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


_FORMATS: tuple[tuple[bytes, Callable[[bytes], Size | None]], ...] = (
    (b"\xff\xd8", jpeg_size),
    (b"\xff\x4f\xff\x51", _jpeg_2000),
    (b"\0\0\0\x0cjP  ", _jpeg_2000),
    (b"\x89PNG", _png),
    (b"\xff\x0a", _jpeg_xl),
    (b"\0\0\0\x0cJXL ", _jpeg_xl),
)
