"""embedded: the copy of a picture inside a page: the file itself if it is small, else a JPEG.

The less room there is for a copy, the smaller it is: see `page_room`.
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import DPI

MAX_EMBEDDED_SIDE = 1600
"""Largest side of an embedded copy in pixels."""
MIN_EMBEDDED_SIDE = 360
"""Pixels along the longer side of a copy that it is not made smaller than, however little room there is."""
MAX_VERBATIM_BYTES = 250_000
"""Largest PNG in bytes that is embedded unchanged."""
JPEG_QUALITY = 86
"""JPEG quality of copies, 0 to 100."""
CSS_PIXELS_PER_INCH = 96
"""CSS pixels per inch, on every screen."""


@dataclass(frozen=True, slots=True)
class EmbeddedCopy:
    """A picture embedded in a page."""

    kind: str
    """`png` or `jpeg`."""
    content: bytes
    width: int
    height: int
    """CSS pixels of the picture's natural size: text is equally large on all pictures."""

    @property
    def source(self) -> str:
        """The copy as a `data:` URL."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.content).decode('ascii')}"


def embedded_copy(path: Path, *, room: float = math.inf, largest: EmbeddedCopy | None = None) -> EmbeddedCopy:
    """The copy of a PNG in about `room` bytes, or more where its longer side would be below the smallest one.

    `largest`: the copy without a bound, where it was made: it is not packed again to learn its size.
    """
    from PIL import Image

    content = path.read_bytes()
    with Image.open(io.BytesIO(content)) as picture:
        width, height = picture.size
    size = round(width * CSS_PIXELS_PER_INCH / DPI), round(height * CSS_PIXELS_PER_INCH / DPI)
    if len(content) <= min(MAX_VERBATIM_BYTES, room) and max(height, width) <= 2 * MAX_EMBEDDED_SIDE:
        return EmbeddedCopy("png", content, *size)
    pixels = _pixels_on_white(content)
    side = min(MAX_EMBEDDED_SIDE, max(height, width))
    copy = largest.content if largest and largest.kind == "jpeg" else _jpeg(pixels, side)
    while len(copy) > room and side > MIN_EMBEDDED_SIDE:
        side = max(MIN_EMBEDDED_SIDE, math.floor(side * 0.95 * math.sqrt(room / len(copy))))
        copy = _jpeg(pixels, side)
    return EmbeddedCopy("jpeg", copy, *size)


def _jpeg(pixels: Array, side: int) -> bytes:
    """The picture with a longer side of `side` pixels, at most its own, as JPEG."""
    from PIL import Image

    longest = max(pixels.shape[:2])
    buffer = io.BytesIO()
    Image.fromarray(_scaled(pixels, side / longest) if side < longest else pixels).save(
        buffer, "JPEG", quality=JPEG_QUALITY
    )
    return buffer.getvalue()


def _pixels_on_white(content: bytes) -> Array:
    """The PNG's pixels as uint8 (y, x, 3), what is transparent laid on white."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        if "A" not in picture.getbands() or picture.getchannel("A").getextrema() == (
            255,
            255,
        ):  # nothing is transparent
            return np.asarray(picture.convert("RGB"))
        pixels = picture.convert("RGBA")
    white = Image.new("RGBA", pixels.size, "white")
    return np.asarray(Image.alpha_composite(white, pixels).convert("RGB"))


def _scaled(pixels: Array, factor: float) -> Array:
    from PIL import Image

    size = tuple(max(1, round(n * factor)) for n in pixels.shape[1::-1])
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))
