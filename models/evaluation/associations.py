"""Associations: what groups of subjects have to do with what a list says of them: numbers (age) and categories (sex, site).

The unit is the subject. A column as a whole, over all groups:

* numbers: ranks (Kruskal-Wallis); effect: share of the ranks' variance that lies between groups, less what chance gives
  (epsilon squared, Kelley 1935, PNAS 21:554);
* categories: chi-squared; effect: Cramer's V, less what chance gives (Bergsma 2013, J. Korean Stat. Soc. 42:323).

Each group against all other subjects: difference of means (Welch) and Hedges' g, or the odds ratio of each category. All p are
by permutation of subjects; q (Benjamini & Hochberg 1995) corrects for all columns, and for all groups, columns and categories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control, rankdata

from .effects import difference_of_means, odds_ratio, standardised
from .permutations import category_test, rank_test

Array = npt.NDArray[Any]
MIN_MEMBERS = 3
"""Fewest subjects of a group, and beside it, that are compared."""
MAX_CATEGORIES = 12
"""Most values of a column of categories that is compared: names of persons are none."""


@dataclass(frozen=True, slots=True)
class ColumnAssociation:
    """One column compared over all groups."""

    column: str
    is_number: bool
    subjects: int
    """Those that have a value."""
    effect: float
    """0 is as much as by chance, 1 is all of it."""
    p: float
    least_p: float
    """The smallest p that so few subjects can give."""
    q: float = float("nan")
    """p corrected for the number of columns."""


@dataclass(frozen=True, slots=True)
class GroupDifference:
    """One group compared with all other subjects, by a number or by one category of a column."""

    group: int
    column: str
    category: str
    """Empty for a column of numbers."""
    subjects: tuple[int, int]
    """In the group, and beside it, that have a value."""
    inside: float
    """Mean of the group, or the share of its subjects with the category."""
    outside: float
    effect: float
    """Difference of the means in the column's own unit, or odds ratio."""
    low: float
    """Lower end of its 95 % interval, for this comparison alone."""
    high: float
    size: float
    """Hedges' g; NaN for categories."""
    p: float
    q: float = float("nan")
    """p corrected for the number of all comparisons of groups."""


@dataclass(frozen=True, slots=True)
class Associations:
    """Groups of subjects and the columns of a list."""

    columns: tuple[ColumnAssociation, ...] = ()
    differences: tuple[GroupDifference, ...] = ()
    left_out: tuple[str, ...] = ()
    """Columns that are not compared, with the reason."""


def associations(group: Array, columns: Mapping[str, Array], *, seed: int = 0) -> Associations:
    """Compare groups, int (subjects,), by columns: floats with NaN where unknown, or strings with "" where unknown."""
    found: list[ColumnAssociation] = []
    differences: list[GroupDifference] = []
    left_out: list[str] = []
    for name, values in columns.items():
        known = np.isfinite(values) if values.dtype.kind == "f" else values.astype(str) != ""
        large = [g for g in np.unique(group[known]) if (group[known] == g).sum() >= MIN_MEMBERS]
        used = known & np.isin(group, large)
        if reason := _reason(values[used], len(large)):
            left_out.append(f"{name} ({reason})")
            continue
        number = np.searchsorted(large, group[used])
        compare = _numbers if values.dtype.kind == "f" else _categories
        found.append(compare(name, values[used], number, seed))
        for label in large:
            differences += _against_rest(int(label), name, values[known], group[known] == label, seed)
    q, q_all = (_corrected([row.p for row in rows]) for rows in (found, differences))
    return Associations(
        tuple(replace(row, q=float(v)) for row, v in zip(found, q, strict=True)),
        tuple(replace(row, q=float(v)) for row, v in zip(differences, q_all, strict=True)),
        tuple(left_out),
    )


def _reason(values: Array, groups: int) -> str:
    """Why a column is not compared; empty where it is."""
    if groups < 2:
        return f"fewer than two groups have {MIN_MEMBERS} subjects with a value"
    different = len(np.unique(values))
    if different < 2:
        return "all subjects have one value"
    if values.dtype.kind != "f" and different > MAX_CATEGORIES:
        return f"{different} different values, and at most {MAX_CATEGORIES} are compared"
    return ""


def _numbers(name: str, values: Array, group: Array, seed: int) -> ColumnAssociation:
    p, least = rank_test(values[:, None], group, seed=seed)
    ranks, count = rankdata(values), len(values)
    groups = int(group.max()) + 1
    within = sum(((ranks[group == g] - ranks[group == g].mean()) ** 2).sum() for g in range(groups))
    share = 1 - within / ((ranks - ranks.mean()) ** 2).sum()
    corrected = 1 - (1 - share) * (count - 1) / max(1, count - groups)
    return ColumnAssociation(name, True, count, max(0.0, float(corrected)), float(p[0]), least)


def _categories(name: str, values: Array, group: Array, seed: int) -> ColumnAssociation:
    _, codes = np.unique(values.astype(str), return_inverse=True)
    p, least = category_test(codes, group, seed=seed)
    return ColumnAssociation(name, False, len(values), cramers_v(codes, group), p, least)


def cramers_v(first: Array, second: Array) -> float:
    """Cramer's V of two labellings, int (N,) from 0, corrected for what chance gives.

    >>> halves = np.repeat([0, 1], 20)
    >>> round(cramers_v(halves, 1 - halves), 9), cramers_v(np.tile([0, 1], 20), halves)
    (1.0, 0.0)
    """
    count = len(first)
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1)
    expected = np.outer(table.sum(1), table.sum(0)) / count
    share = (np.square(table - expected) / np.maximum(expected, 1e-12)).sum() / count
    rows, columns = table.shape
    less = max(0.0, share - (rows - 1) * (columns - 1) / (count - 1))
    bound = min(n - (n - 1) ** 2 / (count - 1) for n in (rows, columns)) - 1
    return float(np.sqrt(min(1.0, less / bound))) if bound > 0 else 0.0


def _against_rest(label: int, name: str, values: Array, inside: Array, seed: int) -> Iterator[GroupDifference]:
    """The rows of one group and column; of two categories the first is the other's mirror, so the second alone is shown."""
    subjects = int(inside.sum()), int((~inside).sum())
    if values.dtype.kind == "f":
        first, second = values[~inside], values[inside]
        p, _ = rank_test(values[:, None], inside.astype(int), seed=seed)
        means = float(second.mean()), float(first.mean())
        effect = difference_of_means(first, second)
        yield GroupDifference(label, name, "", subjects, *means, *effect, standardised(first, second), float(p[0]))
        return
    words = values.astype(str)
    categories = np.unique(words)
    for category in categories if len(categories) > 2 else categories[1:]:
        has = words == category
        counts = [(int(has[side].sum()), int((~has)[side].sum())) for side in (inside, ~inside)]
        p_value, _ = category_test(has.astype(int), inside.astype(int), seed=seed)
        shares = float(has[inside].mean()), float(has[~inside].mean())
        effect = odds_ratio(counts[0], counts[1])
        yield GroupDifference(label, name, str(category), subjects, *shares, *effect, float("nan"), p_value)


def _corrected(p: list[float]) -> Array:
    return np.asarray(false_discovery_control(p, method="bh")) if p else np.zeros(0)
