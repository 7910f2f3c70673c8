"""numbers: text of numbers and shares on pictures and pages."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .spreadsheet import Cell


def number(value: float) -> str:
    """Text of a number: thousands are separated, a fraction has at most four digits.

    >>> number(12345), number(0.12345), number(1234.5), number(1e-9)
    ('12,345', '0.1235', '1,234', '1e-09')
    """
    if isinstance(value, int) or (abs(value) >= 1000 and math.isfinite(value)):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def percent(share: float) -> str:
    """Text of a share: small ones keep a digit, absent ones say so.

    >>> percent(0.1234), percent(0.0004), percent(0.0), percent(float("nan"))
    ('12.3 %', '<0.1 %', '0 %', '–')
    """
    if not math.isfinite(share):
        return "–"
    if share == 0:
        return "0 %"
    return "<0.1 %" if share < 0.0005 else f"{share * 100:.1f} %"


def spans(numbers: Iterable[int]) -> str:
    """Text of whole numbers in order; three and more that follow each other are a span.

    >>> spans([5, 6, 7, 10]), spans([2, 4, 5]), spans([9])
    ('5 to 7 and 10', '2, 4 and 5', '9')
    """
    runs = list[list[int]]()
    for one in numbers:
        if runs and one == runs[-1][-1] + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    parts = [text for run in runs for text in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))]
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def whole(share: float) -> str:
    """Text of a share in a sentence.

    >>> whole(0.667), whole(1)
    ('67 %', '100 %')
    """
    return f"{share * 100:.0f} %"


def tint(share: float) -> int:
    """Strength of a cell's tint for a share, in whole percent from 0 to 100.

    >>> tint(0.254), tint(-1), tint(7)
    (25, 0, 100)
    """
    return round(min(max(float(share), 0), 1) * 100)


def missing(cell: Cell) -> bool:
    """Whether a cell of a table is empty: None or NaN.

    >>> missing(None), missing(float("nan")), missing(""), missing(0)
    (True, True, False, False)
    """
    return cell is None or (isinstance(cell, float) and math.isnan(cell))
