"""numbers: how numbers and shares are written for people, on pictures and pages alike."""

from __future__ import annotations

import math

from .spreadsheet import Cell


def number(value: float) -> str:
    """A number as people read it: thousands apart, four digits at most where it is no whole number.

    >>> number(12345), number(0.12345), number(1234.5), number(1e-9)
    ('12,345', '0.1235', '1,234', '1e-09')
    """
    if isinstance(value, int) or (abs(value) >= 1000 and math.isfinite(value)):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def percent(share: float) -> str:
    """A share as people write it; small ones keep a digit, absent ones say so.

    >>> percent(0.1234), percent(0.0004), percent(0.0), percent(float("nan"))
    ('12.3 %', '<0.1 %', '0 %', '–')
    """
    if not math.isfinite(share):
        return "–"
    if share == 0:
        return "0 %"
    return "<0.1 %" if share < 0.0005 else f"{share * 100:.1f} %"


def tint(share: float) -> int:
    """How strongly a cell is tinted by its share, in whole percent from 0 to 100.

    >>> tint(0.254), tint(-1), tint(7)
    (25, 0, 100)
    """
    return round(min(max(float(share), 0), 1) * 100)


def missing(cell: Cell) -> bool:
    """Whether a cell of a table holds nothing: None or NaN.

    >>> missing(None), missing(float("nan")), missing(""), missing(0)
    (True, True, False, False)
    """
    return cell is None or (isinstance(cell, float) and math.isnan(cell))
