"""colouring: the slide in grey, its tissue in the colours of clusters, with structure still visible."""

from __future__ import annotations

import numpy as np

from ...stores.frame import Array
from .palette import colour
from .picture import Cells, Picture


def coloured(picture: Picture, cells: Cells) -> Array:
    """The slide in grey with labelled cells in their clusters' colours, structure still visible; uint8 (y, x, 3)."""
    grey = brightness(picture)
    labels = cells.over(picture)
    tints = np.ones((int(labels.max(initial=0)) + 1, 3), np.float32)
    for label in np.unique(labels[labels > 0]):
        tints[label] = np.asarray(colour(int(label)), np.float32) / 255
    # multiplied, so that nuclei stay dark and glass keeps the pure colour; unlabelled parts recede
    shade = np.where(labels > 0, 0.58 + 0.42 * grey, 0.7 * grey if picture.dark else 0.45 + 0.55 * grey)
    lit = tints[labels] * shade[..., None] + 0.06 * (labels > 0)[..., None] * grey[..., None]
    return np.asarray((np.clip(lit, 0, 1) * 255).round(), np.uint8)


def tinted(picture: Picture, cells: Cells, colours: Array) -> Array:
    """The colours where there is tissue, shaded by the slide a little; pale grey slide elsewhere."""
    grey = brightness(picture)[..., None]
    on_tissue = (cells.over(picture) > 0)[..., None]
    around = 0.7 * grey if picture.dark else 0.72 + 0.28 * grey
    lit = np.where(on_tissue, colours[..., :3] * (0.86 + 0.14 * grey), around)
    return np.asarray((np.clip(lit, 0, 1) * 255).round(), np.uint8)


def brightness(picture: Picture) -> Array:
    """Brightness 0 to 1, float32 (y, x), stretched so that glass is white and the darkest tissue is dark."""
    grey = picture.rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255
    low, high = np.percentile(grey, (0.5, 99.5))
    if high - low < 0.05:  # one flat shade: nothing to stretch
        return grey
    return np.asarray(np.clip((grey - min(low, 0.35)) / (high - min(low, 0.35)), 0, 1), np.float32)
