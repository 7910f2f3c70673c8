"""Grey: one plane of values from the samples of a pixel; real colours are refused."""

from __future__ import annotations

import numpy as np

from ...errors import SlideError
from ..frame import Array

MAX_JPEG_CHROMA = 2
"""Steps of 255 by which planes of a grey picture may differ: JPEG rounds what it converts."""


def grey_of(name: str, samples: Array) -> tuple[Array, list[str]]:
    """(plane (y, x), notes) of samples (y, x, sample): 1, with alpha 2, colours 3, with alpha 4.

    Raises SlideError (E_UNSUPPORTED_PIXELS) for colours that are no grey.
    """
    count = samples.shape[-1]
    notes = []
    if count in (2, 4):
        alpha = samples[..., -1]
        what = "" if (alpha == alpha.max()).all() else ", though it is not the same everywhere"
        notes.append(f"its transparency is dropped{what}")
    elif count not in (1, 3):
        raise SlideError(f"{name}: {count} samples a pixel are not read; films have one.", "E_UNSUPPORTED_PIXELS")
    plane = samples[..., 0]
    if count < 3:
        return plane, notes
    step = MAX_JPEG_CHROMA * (np.iinfo(samples.dtype).max // 255) if samples.dtype.kind == "u" else 0
    low, high = samples[..., :3].min(axis=-1), samples[..., :3].max(axis=-1)
    differing = high - low
    if (differing > step).any():
        share = float((differing > step).mean())
        raise SlideError(
            f"{name}: is in colour: its red, green and blue differ in {share:.2%} of its pixels. A film is grey; leave it "
            "out, or convert it where its colours mean nothing.",
            "E_UNSUPPORTED_PIXELS",
        )
    if differing.any():
        notes.append(f"its red, green and blue planes differ by {step} steps at most; green is read as grey")
        return samples[..., 1], notes
    return plane, [*notes, "its red, green and blue planes are equal and are read as grey"]
