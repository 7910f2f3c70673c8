"""Cells: missing values, and numbers as people write them, with units, bounds and decimal commas."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

MISSING_WORDS = frozenset({
    "", "n/a", "na", "n.a.", "nan", "null", "#n/a", "#na", "<na>", "missing", "not available", "not applicable", "-", "--",
    "?", ".",
})  # fmt: skip
"""Cells that hold no value, in any case."""
_UNITS = {
    **dict.fromkeys(("y", "yr", "yrs", "year", "years", "yo", "y.o."), "years"),
    **dict.fromkeys(("mo", "month", "months"), "months"),
    **dict.fromkeys(("wk", "wks", "week", "weeks"), "weeks"),
    **dict.fromkeys(("day", "days"), "days"),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "um/px", "µm/px", "μm/px"), "um"),
    **{unit: unit for unit in ("nm", "mm", "cm", "mg", "kg", "ml", "%", "kg/m2", "kg/m²", "sec", "min")},
}
"""Units after a number -> their usual name. Other words, and single letters but y, are none: the stage "2a" is no number."""
_NUMBER = re.compile(
    r"(?P<bound>[<>≤≥~]=?)?\s*(?P<number>[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[-+]?\d+)?)(?P<more>\s*\+)?\s*(?P<unit>\D.*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column read as numbers."""

    values: tuple[float, ...]
    """One a cell; NaN where it is missing or no number."""
    converted: tuple[str, ...]
    """Cells that are numbers with a unit, a bound ("89+") or a decimal comma."""
    unread: tuple[str, ...]
    """Cells that hold something else than a number."""


def value_of(cell: str) -> str:
    """A cell without spaces around it; empty if it is a word for a missing value.

    >>> value_of(" n/a "), value_of("AD ")
    ('', 'AD')
    """
    text = cell.strip()
    return "" if text.casefold() in MISSING_WORDS else text


def read_numbers(cells: Sequence[str]) -> Numbers:
    """A column as numbers. A bound counts as its number; a number in another unit than most of the column cannot be read.

    >>> read_numbers(["61,5", "89+", "70 y", "n/a", "3 months", "old"])
    Numbers(values=(61.5, 89.0, 70.0, nan, nan, nan), converted=('61,5', '89+', '70 y'), unread=('3 months', 'old'))
    """
    parsed = [_number(value_of(cell)) for cell in cells]
    units = Counter(unit for _, unit in parsed if unit)
    usual = units.most_common(1)[0][0] if units else ""
    values = tuple(value if unit in ("", usual) else math.nan for value, unit in parsed)
    texts = [value_of(cell) for cell in cells]
    return Numbers(
        values,
        tuple(t for t, v in zip(texts, values, strict=True) if not math.isnan(v) and not _is_plain(t)),
        tuple(t for t, v in zip(texts, values, strict=True) if t and math.isnan(v)),
    )


def read_number(cell: str) -> float | None:
    """The number in a cell: None if it is missing, NaN if there is none, or one in another unit than micrometres.

    >>> read_number("0,25 µm"), read_number("n/a"), read_number("half"), read_number("250 nm")
    (0.25, None, nan, nan)
    """
    text = value_of(cell)
    value, unit = _number(text)
    return None if not text else value if unit in ("", "um") else math.nan


def _number(text: str) -> tuple[float, str]:
    """(number, its unit); NaN if the text is no number."""
    match = _NUMBER.fullmatch(text)
    unit = (match["unit"] or "").strip().casefold() if match else ""
    if match is None or (unit and unit not in _UNITS):
        return math.nan, ""
    value = float(match["number"].replace(",", "."))
    return (value if math.isfinite(value) else math.nan), _UNITS.get(unit, "")


def _is_plain(text: str) -> bool:
    return re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", text, re.IGNORECASE) is not None
