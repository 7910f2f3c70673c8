"""DICOM display: the table from stored values to grey in [0, 1], by the transformations that a file states (PS3.3 C.11).

```text
stored -> bits -> Modality LUT or rescale -> VOI LUT or window -> [0, 1] -> inverse where low values are shown bright
```
All of it is one function of a stored value, so it is computed once for each value and not for each pixel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ..frame import Array
from ..volumes.series import frame_value
from .dicom_tables import lookup, voi_values
from .value_range import robust_range

_INVERSE = "MONOCHROME1"


def display_table(path: Path, data: Any, number: int, stored: Array) -> tuple[Array, list[str]]:
    """(grey of every stored value as float32, notes), for the codes of `stored` (y, x) uint16.

    Raises SlideError (E_DICOM) for tables and scales that give no values.
    """
    bits, signed = int(data.BitsStored), int(data.get("PixelRepresentation", 0) or 0) == 1
    codes = np.arange(2**bits)
    raw = np.where(codes >= 2 ** (bits - 1), codes - 2**bits, codes) if signed else codes
    counts = np.bincount(stored.ravel(), minlength=2**bits)
    padding = _padding(data, raw)
    notes = []
    if counts[padding].any():
        notes.append(f"{counts[padding].sum() / counts.sum():.1%} of its pixels are padding and become black")
    seen = (counts > 0) & ~padding
    true, more = _modality(path, data, number, raw)
    notes += more
    grey, more = voi_values(path, data, number, true)
    notes += more
    if grey is not None and seen.any() and np.ptp(grey[seen]) == 0 and np.ptp(true[seen]) > 0:
        notes.append("its window shows none of its values and is not used")
        grey = None
    if grey is None:
        chosen = robust_range(true[seen], "no usable window or VOI LUT", counts[seen]) if seen.any() else None
        grey = chosen.apply(true) if chosen else np.zeros(len(true), np.float32)
        notes += [chosen.note] if chosen else []
    inverse, more = _inverse(data)
    notes += more
    table = np.asarray(1.0 - grey if inverse else grey, np.float32)
    table[padding] = 0.0
    return table, notes


def codes_of(data: Any, plane: Array) -> tuple[Array, list[str]]:
    """(stored values as codes of BitsStored bits, uint16; notes)."""
    allocated, bits = int(data.BitsAllocated), int(data.BitsStored)
    codes = (plane.astype(np.int32) & (2**allocated - 1)).astype(np.uint16)
    high = int(data.get("HighBit", bits - 1) or 0)
    shift, notes = high + 1 - bits, []
    if 0 < shift <= allocated - bits and not (codes & (2**shift - 1)).any():
        codes = codes >> shift
        notes.append(f"its values begin at bit {shift}, as its high bit says")
    elif shift:
        notes.append(f"its high bit {high} does not fit its {bits} bits and is not used")
    mask = 2**bits - 1
    if int(data.get("PixelRepresentation", 0) or 0) != 1 and (codes & ~np.uint16(mask)).any():
        notes.append(f"bits above its {bits} are not 0; they are dropped")
    return codes & np.uint16(mask), notes


def _padding(data: Any, raw: Array) -> Array:
    """Which values are padding: that of PixelPaddingValue, or those up to PixelPaddingRangeLimit."""
    value, limit = data.get("PixelPaddingValue"), data.get("PixelPaddingRangeLimit")
    if not isinstance(value, int):
        return np.zeros(len(raw), bool)
    if not isinstance(limit, int):
        # a value that does not fit the bits (-2000 in 12 of them) can stand in no pixel
        return np.asarray((raw == value) | (raw == value - 2**16))
    top = int(raw.max())
    low, high = sorted(number - 2**16 if number > top else number for number in (value, limit))
    return np.asarray((raw >= low) & (raw <= high))


def _modality(path: Path, data: Any, number: int, raw: Array) -> tuple[Array, list[str]]:
    if items := data.get("ModalityLUTSequence"):
        values, _ = lookup(path, data, items[0], raw)
        return values.astype(np.float64), ["its Modality LUT is applied"]
    group = "PixelValueTransformationSequence"
    slope, intercept = (frame_value(data, number, group, name) for name in ("RescaleSlope", "RescaleIntercept"))
    scale = (float(slope) if slope not in (None, "") else 1.0, float(intercept) if intercept not in (None, "") else 0.0)
    if not np.isfinite(scale).all() or scale[0] == 0:
        raise SlideError(
            f"{path.name}: its rescale slope {scale[0]:g} and intercept {scale[1]:g} give no values. Export it again.",
            "E_DICOM",
        )
    return raw * scale[0] + scale[1], []


def _inverse(data: Any) -> tuple[bool, list[str]]:
    """(whether low values are shown bright, notes). In films MONOCHROME1 and INVERSE state one inversion, not two."""
    low_is_bright = str(data.PhotometricInterpretation) == _INVERSE
    shape = str(data.get("PresentationLUTShape", "") or "")
    sign = data.get("PixelIntensityRelationshipSign")
    notes = ["is MONOCHROME1, where low values are shown bright; it is inverted"] if low_is_bright else []
    if shape == "INVERSE" and not low_is_bright:
        notes.append("its PresentationLUTShape INVERSE is applied, though it is not MONOCHROME1")
    if shape == "IDENTITY" and low_is_bright:
        notes.append("its PresentationLUTShape IDENTITY contradicts MONOCHROME1, which is followed")
    inverse = low_is_bright or shape == "INVERSE"
    if sign in (1, -1) and (sign == 1) != inverse:
        notes.append(
            "its pixel intensity relationship contradicts how it is to be shown: it may be upside down in brightness"
        )
    return inverse, notes
