"""encoded: pixels as the bytes of a JPEG or PNG, for pages that ask for many small pictures."""

from __future__ import annotations

import io
from functools import cache

import numpy as np

from ...stores.frame import Array

TILE_QUALITY = 85
"""JPEG quality of tiles, 0 to 100."""


def jpeg(rgb: Array) -> bytes:
    """uint8 (y, x, 3) as JPEG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=TILE_QUALITY)
    return buffer.getvalue()


def png(pixels: Array) -> bytes:
    """uint8 (y, x) or (y, x, 3) as PNG, quickly rather than small."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def palette_png(indices: Array, colours: Array) -> bytes:
    """uint8 (y, x) as a PNG whose cells have the colours uint8 (256, 4): red, green, blue, opacity of each index.

    Only the palette depends on the colours, so that other colours cost no pass over the pixels."""
    from PIL import Image

    picture = Image.fromarray(indices, "P")
    picture.putpalette(colours[:, :3].tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1, transparency=colours[:, 3].tobytes())
    return buffer.getvalue()


@cache
def heat_colours() -> Array:
    """Colours of values 0 to 255, uint8 (256, 4): orange that is the more opaque the larger the value, as in galleries.

    0 is clear."""
    from matplotlib import colormaps

    levels = np.arange(256) / 255
    rgba: Array = np.rint(np.asarray(colormaps["inferno"](0.25 + 0.7 * levels)) * 255).astype(np.uint8)
    rgba[:, 3] = np.rint(levels * 255)
    return rgba
