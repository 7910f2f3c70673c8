"""thumbnail: pixels of any type as a small JPEG in a page."""

from __future__ import annotations

import base64
import io

import numpy as np

from ...stores.frame import Array

THUMBNAIL_SIDE = 160
"""Pixels along a thumbnail, at most."""


def thumbnail_source(pixels: Array) -> str:
    """(channel, y, x) of any type as a `data:` URL: the first three channels as colours, or the first as grey."""
    from PIL import Image

    if pixels.dtype != np.uint8:
        low, high = np.percentile(pixels, (1, 99.5))
        pixels = (np.clip((pixels - low) / max(float(high - low), 1e-6), 0, 1) * 255).astype(np.uint8)
    colours = pixels[:3] if len(pixels) >= 3 else np.repeat(pixels[:1], 3, 0)
    picture = Image.fromarray(np.ascontiguousarray(colours.transpose(1, 2, 0)))
    picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
