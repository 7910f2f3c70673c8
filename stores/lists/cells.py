"""Cells: missing values, and numbers as people write them, with units, bounds and decimal commas."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MISSING_WORDS = frozenset({
    "", "n/a", "na", "n.a.", "nan", "null", "#n/a", "#na", "<na>", "missing", "not available", "not applicable", "-", "--",
    "?", ".", "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!",
})  # fmt: skip
"""Cells that hold no value, in any case."""
MISSING_NUMBERS = frozenset({-9999.0, -999.0, -99.0, -9.0, 888.0, 999.0, 9999.0, 99999.0})
"""Numbers that stand for a missing value where they lie farther from all others than those lie from each other."""
_NAME = re.compile(r"-?0[0-9]+.*")
"""Texts that are names although they look like numbers."""
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
    coded: tuple[str, ...] = ()
    """Cells with a number that stands for a missing value, such as 999 among ages."""


def value_of(cell: str) -> str:
    """A cell without spaces around it; empty if it is a word for a missing value.

    >>> value_of(" n/a "), value_of("AD ")
    ('', 'AD')
    """
    text = cell.strip()
    return "" if text.casefold() in MISSING_WORDS else text


def read_numbers(cells: Sequence[str]) -> Numbers:
    """A column as numbers. A bound counts as its number; a number in another unit than most of the column cannot be read, and
    999 among other numbers is a missing one.

    >>> numbers = read_numbers(["61,5", "89+", "70 y", "n/a", "3 months", "old", "999"])
    >>> numbers.values, numbers.converted
    ((61.5, 89.0, 70.0, nan, nan, nan, nan), ('61,5', '89+', '70 y'))
    >>> numbers.unread, numbers.coded
    (('3 months', 'old'), ('999',))
    """
    parsed = [_number(value_of(cell)) for cell in cells]
    units = Counter(unit for _, unit in parsed if unit)
    usual = units.most_common(1)[0][0] if units else ""
    values = tuple(value if unit in ("", usual) else math.nan for value, unit in parsed)
    texts = [value_of(cell) for cell in cells]
    missing = _missing_numbers(values)
    return Numbers(
        tuple(math.nan if value in missing else value for value in values),
        tuple(t for t, v in zip(texts, values, strict=True) if not (math.isnan(v) or v in missing or _is_plain(t))),
        tuple(t for t, v in zip(texts, values, strict=True) if t and math.isnan(v)),
        tuple(t for t, v in zip(texts, values, strict=True) if v in missing),
    )


def number_column(cells: Sequence[str], column: str = "") -> Numbers | None:
    """A column as numbers where most of its values are; None for a column of words, or of names that begin with 0.

    Ages are numbers with zeros before them too, as DICOM writes them.

    >>> number_column(["61,5", "unknown", "70"]).unread, number_column(["AD", "CN", "3"]), number_column(["007", "12"])
    (('unknown',), None, None)
    >>> number_column(["063Y", "070Y"], "age").values
    (63.0, 70.0)
    """
    texts = [value_of(cell) for cell in cells]
    filled = sum(map(bool, texts))
    numbers = read_numbers(texts)
    if not filled or 2 * len(numbers.unread) >= filled or len(numbers.coded) == filled:
        return None
    return None if column != "age" and any(_NAME.fullmatch(text) for text in texts) else numbers


def _missing_numbers(values: Iterable[float]) -> frozenset[float]:
    """Numbers among these that stand for a missing value.

    >>> sorted(_missing_numbers([61, 999, 70, -9])), sorted(_missing_numbers([900, 999, 1020]))
    ([-9, 999], [])
    """
    known = {value for value in values if not math.isnan(value)}
    others = known - MISSING_NUMBERS
    if len(others) < 2:
        return frozenset()
    least, most = min(others), max(others)
    reach = most - least
    return frozenset(one for one in known & MISSING_NUMBERS if not least - reach <= one <= most + reach)


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
