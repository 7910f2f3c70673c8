"""Cell formats of workbooks: a date is stored as a number of days, and 007 as the number 7; the format says how it is shown."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

DAY_ONE, DAY_ONE_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)
"""Day 0 of workbooks, and of those that old spreadsheets of Apple wrote."""
MOST_DAYS = 2_958_465
"""The last day that spreadsheets show: 9999-12-31."""
_DATES = frozenset({*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)})
"""Numbers of the formats that every spreadsheet knows as dates or times."""
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')


@dataclass(slots=True)
class CellFormats:
    """How cells are shown, by the number of their style, from the events of a workbook's XML."""

    codes: dict[int, str] = field(default_factory=dict)
    """Number of a format that the workbook defines -> its code."""
    styles: list[int] = field(default_factory=list)
    """Number of the format of each style."""
    day_zero: datetime = DAY_ONE
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
        """A stored number as the cell shows it: dates as ISO 8601, numbers with their leading zeros; others as they are."""
        text = _plain(text)
        number = self.styles[int(style)] if style.isdecimal() and int(style) < len(self.styles) else 0
        code = self.codes.get(number, "")
        if number in _DATES or is_date(code):
            return _date(text, self.day_zero)
        return text.zfill(len(code)) if re.fullmatch(r"00+", code) and text.isdecimal() else text


def is_date(code: str) -> bool:
    """Whether the code of a format is one of dates or times.

    >>> is_date("dd/mm/yyyy"), is_date("yyyy-mm-dd;@"), is_date('0.0 "days"'), is_date("General")
    (True, True, False, False)
    """
    plain = _QUOTED.sub("", code.split(";")[0]).lower()
    return (
        plain != "general" and bool(re.search(r"[dmyhs]", plain)) and not re.search(r"[0#?]", plain.replace(".0", ""))
    )


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
    moment = day_zero + timedelta(seconds=round(days * 86_400))
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
