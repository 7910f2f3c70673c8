"""Cell formats of workbooks: a date is stored as a number of days, and P007 as the number 7; the format says what is shown."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .cells import is_unit

DAY_ONE, DAY_ONE_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)
"""Day 0 of workbooks, and of those that old spreadsheets of Apple wrote."""
MOST_DAYS = 2_958_465
"""The last day that spreadsheets show: 9999-12-31."""
_DATES = frozenset({*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)})
"""Numbers of the formats that every spreadsheet knows as dates or times."""
_KNOWN = {46: "[h]:mm:ss"}
"""Number of a format that every spreadsheet knows -> its code."""
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_PARTS = re.compile(r'"(?P<text>[^"]*)"|\\(?P<sign>.)|(?P<plain>[-+/():_ ])|(?P<zero>0)')
"""Parts of the code of a whole number with zeros before it and texts around it."""
_TEXT = re.compile(r'"([^"]*)"')
_NO_TEXT = re.compile(r"\[(?:\$[^\]]*|[A-Za-z]+\d*)\]|_.|\*.")
"""Colours, languages and widths in a code."""
_TOTAL = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)


@dataclass(slots=True)
class CellFormats:
    """How cells are shown, by the number of their style, from the events of a workbook's XML."""

    codes: dict[int, str] = field(default_factory=dict)
    """Number of a format that the workbook defines -> its code."""
    styles: list[int] = field(default_factory=list)
    """Number of the format of each style."""
    day_zero: datetime = DAY_ONE
    left_out: Counter[str] = field(default_factory=Counter)
    """Words beside numbers that formats show and that are not read -> cells."""
    _in_styles: bool = False

    def begin(self, name: str, values: Mapping[str, str]) -> None:
        if name == "numFmt":
            self.codes[int(values["numFmtId"])] = values.get("formatCode", "")
        elif name == "cellXfs":
            self._in_styles = True
        elif name == "xf" and self._in_styles:
            self.styles.append(int(values.get("numFmtId", 0)))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_styles = False

    def shown(self, text: str, style: str) -> str:
        """A stored number as the cell shows it: dates as ISO 8601, durations, whole numbers with zeros and texts around them.

        Others are as they are.
        """
        text = _plain(text)
        number = self.styles[int(style)] if style.isdecimal() and int(style) < len(self.styles) else 0
        code = self.codes.get(number, _KNOWN.get(number, ""))
        if total := _TOTAL.search(_first(code)):
            rest = _QUOTED.sub("", _first(code)[total.end() :]).lower()
            return _duration(text, total[1][0].lower(), rest)
        if number in _DATES or is_date(code):
            return _date(text, self.day_zero)
        shown = _coded(text, _first(code)) if text.isdecimal() else text
        words = (word.strip() for word in _TEXT.findall(_first(code)))
        self.left_out.update(word for word in words if re.search(r"[^\W\d_]", word) and word not in shown)
        return shown


def is_date(code: str) -> bool:
    """Whether the code of a format is one of dates or times.

    >>> is_date("dd/mm/yyyy"), is_date("yyyy-mm-dd;@"), is_date('0.0 "days"'), is_date("General")
    (True, True, False, False)
    """
    plain = _QUOTED.sub("", code.split(";")[0]).lower()
    return (
        plain != "general" and bool(re.search(r"[dmyhs]", plain)) and not re.search(r"[0#?]", plain.replace(".0", ""))
    )


def _first(code: str) -> str:
    """The part of a code that is for positive numbers."""
    return code.split(";")[0]


def _coded(text: str, code: str) -> str:
    """A whole number in a format of zeros and texts; signs around it that hold neither letters nor digits are left out, and so
    is a text behind a plain number that is no unit.

    >>> _coded("7", '"P"000'), _coded("1234567", "000-0000"), _coded("7", '0.0 "days"'), _coded("7", "$0"), _coded("7", '"€" 0')
    ('P007', '123-4567', '7', '7', '7')
    >>> _coded("7", '0 "points"'), _coded("7", '0" years"'), _coded("7", '000"x"')
    ('7', '7 years', '007x')
    """
    code = _NO_TEXT.sub("", code)
    parts = list(_PARTS.finditer(code))
    zeros = sum(part["zero"] is not None for part in parts)
    if not zeros or "".join(part[0] for part in parts) != code:
        return text
    digits = text.zfill(zeros)
    shown = [digits[: len(digits) - zeros + 1], *digits[len(digits) - zeros + 1 :]]
    texts = [shown.pop(0) if part["zero"] else part["text"] or part["sign"] or part["plain"] or "" for part in parts]
    places = [i for i, part in enumerate(parts) if part["zero"]]
    around = ("".join(texts[: places[0]]), "".join(texts[places[-1] + 1 :]))
    before, after = (one if re.search(r"[^\W_]", one) else "" for one in around)
    if zeros == 1 and not before and not is_unit(after):
        after = ""  # the number alone, as with decimals
    return before + "".join(texts[places[0] : places[-1] + 1]) + after


def _duration(text: str, unit: str, rest: str) -> str:
    """A number of days as hours, minutes or seconds in total, with the smaller units that the format shows.

    >>> _duration("1.25", "h", ":mm"), _duration("1.25", "h", ":mm:ss"), _duration("0.5", "m", ""), _duration("later", "h", "")
    ('30:00', '30:00:00', '720', 'later')
    """
    try:
        seconds = round(float(text) * 86_400)
    except (ValueError, OverflowError):
        return text
    sizes = {"h": 3600, "m": 60, "s": 1}
    units = [one for one in "hms" if one == unit or (one in rest and sizes[one] < sizes[unit])]
    left = abs(seconds)
    values: list[str] = []
    for one in units:
        value, left = divmod(left, sizes[one])
        values.append(f"{value:02d}" if values else str(value))
    return ("-" if seconds < 0 else "") + ":".join(values)


def _date(text: str, day_zero: datetime) -> str:
    """A number of days as a date, with its time of day where it has one.

    >>> _date("45413", DAY_ONE), _date("45413.5", DAY_ONE), _date("0.25", DAY_ONE), _date("later", DAY_ONE)
    ('2024-05-01', '2024-05-01T12:00:00', '06:00:00', 'later')
    """
    try:
        days = float(text)
    except ValueError:
        return text
    if not math.isfinite(days) or not 0 <= days <= MOST_DAYS:
        return text
    try:
        moment = day_zero + timedelta(seconds=round(days * 86_400))
    except OverflowError:  # in workbooks that count from 1904 the last days are fewer
        return text
    if days < 1:
        return moment.time().isoformat()
    return moment.date().isoformat() if days.is_integer() else moment.isoformat()


def _plain(text: str) -> str:
    """A number as people write it: workbooks store 0.1 as 0.10000000000000001 and 12 as 1.2E1.

    >>> _plain("0.10000000000000001"), _plain("1.2E1"), _plain("7.0")
    ('0.1', '12', '7')
    """
    try:
        value = float(text)
    except ValueError:
        return text
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
