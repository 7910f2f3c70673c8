"""DICOM tables: look-up tables of a file, and its windows: linear, exactly linear and sigmoid (PS3.3 C.11.1 and C.11.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ..frame import Array
from ..volumes.series import frame_value
from .value_range import bits_of

_WINDOWS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_GROUP = "FrameVOILUTSequence"


def lookup(path: Path, data: Any, item: Any, values: Array) -> tuple[Array, int]:
    """(entries of a LUT at whole numbers `values`, bits of an entry). Raises SlideError (E_DICOM) for a damaged table."""
    try:
        count, first, bits = (int(v) for v in item.LUTDescriptor)
        entries = _entries(data, item.LUTData, (count & 0xFFFF) or 2**16)
    except (AttributeError, TypeError, ValueError) as error:
        raise SlideError(
            f"{path.name}: its look-up table, which gives its values their meaning, cannot be read ({type(error).__name__}). "
            "Export it again.",
            "E_DICOM",
        ) from error
    if first >= 2**15 and values.min(initial=0) < 0:
        first -= 2**16  # read without a sign, in a file whose values have one
    places = np.clip(np.rint(values).astype(np.int64) - first, 0, len(entries) - 1)
    return entries[places], bits


def _entries(data: Any, stored: Any, count: int) -> Array:
    if isinstance(stored, bytes):
        order = ">" if not data.file_meta.TransferSyntaxUID.is_little_endian else "<"
        narrow = len(stored) in (count, count + 1) and count > 1
        entries = np.frombuffer(stored, np.uint8) if narrow else np.frombuffer(stored[: 2 * count], f"{order}u2")
    else:
        entries = np.atleast_1d(np.asarray(stored, np.int64)) & 0xFFFF
        if len(entries) == -(-count // 2) < count:  # two entries of 8 bits a word
            entries = entries.astype("<u2").view(np.uint8)
    if len(entries) < count:
        raise ValueError(f"it has {len(entries)} entries where it states {count}")
    return entries[:count].astype(np.float64)


def voi_values(path: Path, data: Any, number: int, values: Array) -> tuple[Array | None, list[str]]:
    """(values in [0, 1] through the VOI LUT or the window of a frame, the first of several; notes). None where neither can be
    used. Raises SlideError (E_DICOM) for a damaged table."""
    tables = frame_value(data, number, _GROUP, "VOILUTSequence")
    if tables:
        entries, bits = lookup(path, data, tables[0], values)
        stated, held = 2.0**bits - 1, float(entries.max())
        notes = [f"the first of its {len(tables)} VOI LUTs is used"] if len(tables) > 1 else []
        if held > stated or (held > 0 and bits_of(held) < bits):
            notes.append(f"its VOI LUT states {bits} bits; its entries have {bits_of(held)}")
            stated = 2.0 ** bits_of(held) - 1
        return (entries / stated).astype(np.float32), notes
    centers, widths = (_numbers(frame_value(data, number, _GROUP, name)) for name in ("WindowCenter", "WindowWidth"))
    if not centers or not widths:
        return None, []
    function = str(frame_value(data, number, _GROUP, "VOILUTFunction") or "LINEAR")
    center, width = centers[0], widths[0]
    notes = []
    if function not in _WINDOWS:
        notes.append(f"its VOI function is none of {', '.join(_WINDOWS)}; LINEAR is used")
        function = "LINEAR"
    if not np.isfinite((center, width)).all() or (width < 1 and function == "LINEAR") or width <= 0:
        return None, [f"its window {center:g} / {width:g} is none"]
    if len(set(zip(centers, widths, strict=False))) > 1:
        notes.append(f"the first of its {len(centers)} windows is used, {center:g} / {width:g}")
    return windowed(values, center, width, function).astype(np.float32), notes


def windowed(values: Array, center: float, width: float, function: str = "LINEAR") -> Array:
    """Values in [0, 1] through a window (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    if function == "SIGMOID":
        return np.asarray(0.5 * (1 + np.tanh(2 * (values - center) / width)))
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
        if width == 0:
            return np.where(values > center, 1.0, 0.0)
    return np.clip((values - center) / width + 0.5, 0.0, 1.0)


def _numbers(element: Any) -> list[float]:
    try:
        many = element if isinstance(element, list | tuple) or hasattr(element, "__iter__") else [element]
        return [float(v) for v in ([element] if isinstance(element, str) else many)]
    except (TypeError, ValueError):
        return []
