"""windows: the values of an image that are in use, by channel, so that viewers show it neither black nor white."""

from __future__ import annotations

import numpy as np

from .image import StoredImage

PERCENTILES = (0.1, 99.9)
MAX_LOOKED_AT = 1 << 16
"""Cells of a channel that are looked at, about; more are taken evenly."""


def windows_in_use(image: StoredImage) -> tuple[tuple[float, float], ...]:
    """(low, high) of every channel on the image's coarsest level, which is read shard by shard; high is above low."""
    level = len(image.frames) - 1
    frame = image.frames[level]
    step = max(1, round((frame.box.size / MAX_LOOKED_AT) ** (1 / len(frame.shape))))
    every = (slice(None), *(slice(None, None, step) for _ in frame.shape))
    parts = [image.read(box, level)[every].reshape(image.channels, -1) for box in frame.box.cut(image.shard(level))]
    values = np.concatenate(parts, 1).astype(np.float32)
    lows, highs = np.percentile(np.where(np.isfinite(values), values, 0), PERCENTILES, axis=1)
    return tuple(
        (round(float(low), 6), round(float(high if high > low else low + 1), 6))
        for low, high in zip(lows, highs, strict=True)
    )
