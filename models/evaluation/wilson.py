"""wilson: the confidence interval of a share, such as an accuracy; it stays within [0, 1], for few cases too."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959963984540054
"""Standard normal quantile of 0.975."""


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (1927, JASA 22:209).

    >>> [round(end, 3) for end in wilson(49, 50)]
    [0.895, 0.996]
    """
    share, square = hits / count, Z_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = Z_95 / (1 + square / count) * sqrt(share * (1 - share) / count + square / (4 * count**2))
    return (0.0 if not hits else middle - half), (1.0 if hits == count else middle + half)
