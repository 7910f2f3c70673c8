"""Cells: missing values, and numbers as people write them, with units, bounds, decimal commas and signs between thousands."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

MISSING_WORDS = frozenset({
    "", "n/a", "na", "n.a.", "nan", "null", "#n/a", "#na", "<na>", "missing", "not available", "not applicable", "-", "--",
    "?", ".", "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!",
})  # fmt: skip
"""Cells that hold no value, in any case."""
MISSING_NUMBERS = frozenset({-9999.0, -999.0, -99.0, -9.0, -1.0, 888.0, 999.0, 9999.0, 99999.0})
"""Numbers that stand for a missing value where they lie farther from all others than those lie from each other, or one other
number from 0; -1 does so only beside several numbers of which none is negative."""
AGE = "age"
MAX_AGE = 120.0
"""Years; what is more, or below 0, is no age."""
_PER_YEAR = {"": 1.0, "years": 1.0, "months": 12.0, "weeks": 365.25 / 7, "days": 365.25}
_AGE_UNITS = {"m": "months", "w": "weeks", "d": "days"}
"""Letters after an age, as DICOM writes them: 006M."""
_MALE_OR_UNIT, _WOMAN = re.compile(r"(\d{1,2})\s*([MW])", re.IGNORECASE), re.compile(r"\d{1,3}\s*F", re.IGNORECASE)
"""Ages with a sex: 63M beside 58F, or above what infants are given in, is a man, and 58W a woman; 8M beside 2Y, and 006M
always, are months."""
_MOST_IN_UNIT = {"m": 36, "w": 52}
"""Months and weeks in which ages are given, at most: who is older has an age in years."""
FAR_LARGER = 4
"""Times that a number is larger than others of which it is not one."""
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
_DIGITS = re.compile(r"[<>≤≥~=\s+-]*(\d[\d.,]*\d|\d)")
_GROUPED = {
    ",": re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?"),
    ".": re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?"),
}
"""Sign between thousands -> numbers that it may stand in."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column read as numbers."""

    values: tuple[float, ...]
    """One a cell; NaN where it is missing or no number."""
    converted: tuple[str, ...]
    """Cells that are numbers with a unit, a bound ("89+"), a decimal comma or signs between thousands."""
    unread: tuple[str, ...]
    """Cells that hold something else than a number, one in another unit or decimal sign, or an age that nobody has."""
    coded: tuple[str, ...] = ()
    """Cells with a number that stands for a missing value, such as 999 among ages."""


def value_of(cell: str) -> str:
    """A cell without spaces around it; empty if it is a word for a missing value.

    >>> value_of(" n/a "), value_of("AD ")
    ('', 'AD')
    """
    text = cell.strip()
    return "" if text.casefold() in MISSING_WORDS else text


def read_numbers(cells: Sequence[str], column: str = "") -> Numbers:
    """A column as numbers. A bound counts as its number, and 999 among other numbers is a missing one.

    Ages are in years, whatever their units. In other columns a number in another unit than most cannot be read, and one
    without a unit has that of the column, unless most have none.

    >>> numbers = read_numbers(["61,5", "89+", "70 y", "n/a", "3 months", "old", "999"], "age")
    >>> numbers.values, numbers.converted
    ((61.5, 89.0, 70.0, nan, 0.25, nan, nan), ('61,5', '89+', '70 y', '3 months'))
    >>> numbers.unread, numbers.coded
    (('old',), ('999',))
    >>> read_numbers(["950", "1,234"]).values, read_numbers(["1", "2", "3 mg"]).unread
    ((950.0, 1234.0), ('3 mg',))
    """
    texts = [value_of(cell) for cell in cells]
    is_age = column == AGE
    plain = _without_thousands(texts, column)
    short = [_MALE_OR_UNIT.fullmatch(text) for text in plain]
    if any(map(_WOMAN.fullmatch, plain)):
        sexes = "m"
    else:
        sexes = "mw" * any(one and int(one[1]) > _MOST_IN_UNIT[one[2].lower()] for one in short)
    letters = [_AGE_UNITS if is_age and not (one and one[2].lower() in sexes) else {} for one in short]
    parsed = list(map(_number, plain, letters))
    values = [_years(*one) for one in parsed] if is_age else _in_one_unit(parsed)
    missing = _missing_numbers(values)
    if is_age:
        missing |= {value for value in values if value in MISSING_NUMBERS and not 0 <= value <= MAX_AGE}
        values = [v if v in missing or 0 <= v <= MAX_AGE else math.nan for v in values]
    rows = list(zip(texts, values, strict=True))
    return Numbers(
        tuple(math.nan if value in missing else value for value in values),
        tuple(t for t, v in rows if not (math.isnan(v) or v in missing or (_is_plain(t) and float(t) == v))),
        tuple(t for t, v in rows if t and math.isnan(v)),
        tuple(t for t, v in rows if v in missing),
    )


def _years(value: float, unit: str) -> float:
    return value / _PER_YEAR[unit] if unit in _PER_YEAR else math.nan


def _in_one_unit(parsed: Sequence[tuple[float, str]]) -> list[float]:
    """The numbers in the unit that most have, and those without a unit where they are no more than those."""
    counts = Counter(unit for value, unit in parsed if not math.isnan(value) and value not in MISSING_NUMBERS)
    bare = counts.pop("", 0)
    unit, count = counts.most_common(1)[0] if counts else ("", 0)
    usual = {"", unit} if count >= bare else {""}
    return [value if unit in usual else math.nan for value, unit in parsed]


def _without_thousands(texts: Sequence[str], column: str = "") -> list[str]:
    """The texts without signs between thousands, where the column shows that its commas or points are such.

    All numbers with the sign have groups of three digits behind it, and one of them has two such groups, or the other sign
    before its decimals; or as many numbers have the other sign alone; or, where commas are in question, the column holds a
    whole number from 100 on that is neither an age nor one that stands for a missing value, or a number with a point that
    is several times as large as the others would be as decimals. Where fewer have the other sign, both may be decimals of
    two hands: those few become texts that are no numbers.

    >>> _without_thousands(["950", "1,234"]), _without_thousands(["0,5", "1.234"]), _without_thousands(["61,125", "7"])
    (['950', '1234'], ['0,5', '1234'], ['61,125', '7'])
    >>> _without_thousands(["3.412", "2.981", "3,4"])
    ['3.412', '2.981', '?3,4']
    >>> _without_thousands(["1,234", "2,345", "12.5"]), _without_thousands(["3,412", "2,981", "3.4"])
    (['1234', '2345', '12.5'], ['3,412', '2,981', '?3.4'])
    """

    def beside(number: str) -> bool:
        least = MAX_AGE + 1 if column == AGE else 100
        return number.isdecimal() and float(number) >= least and float(number) not in MISSING_NUMBERS

    digits = [match[1] if (match := _DIGITS.match(text)) else "" for text in texts]
    for sign, decimal in ((",", "."), (".", ",")):
        grouped = [one for one in digits if sign in one]
        if not grouped or not all(_GROUPED[sign].fullmatch(one) for one in grouped):
            continue
        others = [one for one in digits if decimal in one and sign not in one]
        is_clear = any(decimal in one or one.count(sign) > 1 for one in grouped) or len(others) >= len(grouped)
        if is_clear or (
            sign == "," and (any(map(beside, digits)) or (column != AGE and _differ_in_size(grouped, others)))
        ):
            return [text.replace(one, one.replace(sign, ""), 1) for text, one in zip(texts, digits, strict=True)]
        return [f"?{text}" if one in others else text for text, one in zip(texts, digits, strict=True)]
    return list(texts)


def _differ_in_size(grouped: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a number with a point is far larger than those with a comma would be as decimals.

    12.500 may be thousands itself."""
    most = max(float(one.replace(",", ".")) for one in grouped)
    return any(_number(one)[0] > FAR_LARGER * most for one in others if not _GROUPED["."].fullmatch(one))


def is_unit(text: str) -> bool:
    """Whether a text behind a number is a unit that is read.

    >>> is_unit(" Years"), is_unit("points")
    (True, False)
    """
    return text.strip().casefold() in _UNITS


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
    numbers = read_numbers(texts, column)
    if not filled or 2 * len(numbers.unread) >= filled or len(numbers.coded) == filled:
        return None
    return None if column != AGE and any(_NAME.fullmatch(text) for text in texts) else numbers


def _missing_numbers(values: Iterable[float]) -> frozenset[float]:
    """Numbers among these that stand for a missing value.

    >>> sorted(_missing_numbers([61, 999, 70, -9])), sorted(_missing_numbers([900, 999, 1020]))
    ([-9, 999], [])
    >>> sorted(_missing_numbers([1, 1, -9])), sorted(_missing_numbers([1, -1])), sorted(_missing_numbers([950, 999]))
    ([-9], [], [])
    """
    known = {value for value in values if not math.isnan(value)}
    others = known - MISSING_NUMBERS
    if not others:
        return frozenset()
    least, most = min(others), max(others)
    reach = most - least or abs(most)
    codes = known & MISSING_NUMBERS - ({-1.0} if least < 0 or len(others) < 2 else set())
    return frozenset(one for one in codes if not least - reach <= one <= most + reach)


def read_number(cell: str) -> float | None:
    """The number in a cell: None if it is missing, NaN if there is none, or one in another unit than micrometres.

    >>> read_number("0,25 µm"), read_number("n/a"), read_number("half"), read_number("250 nm")
    (0.25, None, nan, nan)
    """
    text = value_of(cell)
    value, unit = _number(text)
    return None if not text else value if unit in ("", "um") else math.nan


def _number(text: str, letters: Mapping[str, str] = MappingProxyType({})) -> tuple[float, str]:
    """(number, its unit); NaN if the text is no number. `letters`: further words for units."""
    match = _NUMBER.fullmatch(text)
    unit = (match["unit"] or "").strip().casefold() if match else ""
    unit = letters.get(unit, _UNITS.get(unit, unit))
    if match is None or (unit and unit not in _UNITS.values()):
        return math.nan, ""
    value = float(match["number"].replace(",", "."))
    return (value if math.isfinite(value) else math.nan), unit


def _is_plain(text: str) -> bool:
    return re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", text, re.IGNORECASE) is not None
