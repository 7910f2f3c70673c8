"""Strict JPEG: a decoder of the same pixels that refuses the streams that libjpeg repairs with a warning.

libjpeg goes on where the bytes of a tile were changed, and imagecodecs does not pass its warnings on. simplejpeg does. No
decoder notices bytes that became other valid codes: of 16 tiles with six changed bytes 1 to 5 decode to other pixels.
"""

from __future__ import annotations

from typing import Protocol

from ..frame import Array

_START, _ADOBE_MARK = b"\xff\xd8", b"\xff\xee"
_ADOBE_RGB = _ADOBE_MARK + b"\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
"""The marker that says that three components are RGB; streams in a TIFF leave that to its tags."""
_RGB = 2


class Decoder(Protocol):
    def __call__(self, data: bytes, memory: Array | None = None) -> Array: ...


def strict_decoder(tables: bytes | None, colorspace: int | None, samples: int) -> Decoder:
    """A decoder of (y, x, sample) that raises ValueError for damaged streams; it may be given memory of that size.

    `tables` are the tables that a TIFF keeps for all its tiles; `colorspace` is 2 where it says that its streams hold RGB,
    else None: the stream tells.
    """
    from simplejpeg import decode_jpeg

    model = "GRAY" if samples == 1 else "RGB"

    def decode(data: bytes, memory: Array | None = None) -> Array:
        stream = whole_stream(data, tables, rgb=colorspace == _RGB)
        pixels: Array = decode_jpeg(stream, model, strict=True, buffer=memory)
        return pixels

    return decode


def whole_stream(data: bytes, tables: bytes | None, *, rgb: bool) -> bytes:
    """The stream of a tile with the tables of its page and, if it is `rgb` and does not say so, the marker that does.

    >>> whole_stream(b"\\xff\\xd8AB", b"\\xff\\xd8TT\\xff\\xd9", rgb=False)
    b'\\xff\\xd8TTAB'
    """
    mark = _ADOBE_RGB if rgb and _ADOBE_MARK + b"\x00\x0eAdobe" not in data[:4096] else b""
    body = memoryview(data)[2 if data.startswith(_START) else 0 :]
    return b"".join((_START, mark, tables[2:-2] if tables else b"", body))  # its bytes are copied once
