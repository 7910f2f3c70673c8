"""Dependence: how much a tile's cluster says of its slide, stain, scanner, site, subject or group, beyond chance."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array
from scipy.special import entr, gammaln

from ..seeds import numpy_generator

Array = npt.NDArray[Any]
PERMUTATIONS = 999
"""Random assignments of a column's values to slides that give the information expected by chance."""
JOINT_CELLS = 1_000_000
"""Cells of the joint tables that are held at once; a table of 20 clusters and 5,000 subjects has 100,000."""
SLIDE = "slide"
"""The name of the column in which every slide has its own value."""


@dataclass(frozen=True, slots=True)
class Dependence:
    """Normalised mutual information of cluster and one column of the images, over tiles."""

    column: str
    values: int
    """Distinct values of the column."""
    slides: int
    """Slides that have a value; the others are left out."""
    nmi: float = float("nan")
    """Mutual information over the mean of both entropies: 0 independent, 1 each says the other. NaN where undefined."""
    adjusted: float = float("nan")
    """The same above what chance gives: 0 as much as by chance (or less, below 0), 1 at most. NaN where undefined."""
    p: float = float("nan")
    """Permutation p-value of the information; NaN for the slide itself, which nothing is permuted over."""
    least_p: float = float("nan")
    """The smallest p-value that so few slides (or subjects) can give: one over the ways to divide them so."""
    reason: str = ""
    """Why there is nothing to say; empty where there is."""


def dependences(
    counts: Array, columns: Mapping[str, Sequence[str]], *, subjects: Sequence[str], seed: int = 0, noun: str = SLIDE
) -> tuple[Dependence, ...]:
    """Dependence of the clusters on the slide and on each of `columns`; `counts` are tiles (cluster, slide).

    A column holds one value a slide, "" where a slide has none. `subjects` are the slides' subjects, "" where unknown. Reasons
    call a slide by the `noun`.
    """
    found = [slide_information(counts, noun)]
    found += [
        column_information(counts, name, columns[name], subjects=subjects, seed=seed, noun=noun) for name in columns
    ]
    return tuple(found)


def slide_information(counts: Array, noun: str = SLIDE) -> Dependence:
    """Dependence on the slide: chance permutes tiles over slides (Vinh et al. 2010, JMLR 11:2837, "adjusted for chance")."""
    used = counts[:, counts.sum(0) > 0]
    slides = used.shape[1]
    reason = _nothing_to_share(used, noun, "", noun)
    if reason:
        return Dependence(SLIDE, slides, slides, reason=reason)
    shared, bound = _information(used)
    return Dependence(SLIDE, slides, slides, shared / bound, _above_chance(shared, _expected_information(used), bound))


def column_information(
    counts: Array, column: str, values: Sequence[str], *, subjects: Sequence[str], seed: int = 0, noun: str = SLIDE
) -> Dependence:
    """Dependence on a column; chance gives the column's values to other slides, each with all its tiles.

    Tiles of a slide are alike, so permuting tiles would find every column informative that merely divides the slides.
    Where all slides of a subject have one value (group, site), subjects are permuted and not slides; of the subject itself,
    slides are.
    """
    known = np.array([bool(value) for value in values]) & (counts.sum(0) > 0)
    used = counts[:, known]
    names, value = np.unique(np.asarray(values)[known], return_inverse=True)
    own = [] if column == "subject" else [s for s, keep in zip(subjects, known, strict=True) if keep]
    units = _units(own, value)
    slides, number = used.shape[1], units.max(initial=-1) + 1
    by_value = _joint(used, value[None], len(names))[0].T
    reason = _nothing_to_share(by_value, column, names[0] if len(names) else "", noun)
    if not reason and len(names) == number:
        unit = noun if number == slides else "subject"
        reason = f"each {column} has one {unit}, so that the {column} cannot be told from the {unit}"
    if reason:
        return Dependence(column, len(names), slides, reason=reason)
    shared, bound = _information(by_value)
    value_of_unit = np.zeros(number, np.int64)
    value_of_unit[units] = value
    draw = numpy_generator(seed, "dependence", column)
    at_once = max(1, JOINT_CELLS // max(by_value.size, slides))
    draws = (draw.permutation(value_of_unit)[units] for _ in range(PERMUTATIONS))
    parts = iter(lambda: list(itertools.islice(draws, at_once)), [])
    by_chance = np.concatenate([_chance_information(used, np.stack(part), len(names)) for part in parts])
    p = (1 + int(np.count_nonzero(by_chance >= shared - 1e-12))) / (1 + PERMUTATIONS)  # Phipson & Smyth 2010
    adjusted = _above_chance(shared, float(by_chance.mean()), bound)
    return Dependence(column, len(names), slides, shared / bound, adjusted, p, _least_p(np.bincount(value_of_unit)))


def _units(subjects: Sequence[str], value: Array) -> Array:
    """What is permuted, an integer a slide: subjects if each has one value, else slides; slides without subject are units.

    Without `subjects`, slides.
    """
    if not subjects:
        return np.arange(len(value))
    own = [subject or f"\0{i}" for i, subject in enumerate(subjects)]
    _, unit = np.unique(np.asarray(own, str), return_inverse=True)
    constant = len({*zip(unit.tolist(), value.tolist(), strict=True)}) == unit.max(initial=-1) + 1
    return np.asarray(unit if constant else np.arange(len(own)))


def _nothing_to_share(table: Array, column: str, only: str, noun: str) -> str:
    """Why clusters (rows) and values (columns) cannot share information; empty where they can."""
    if table.shape[1] == 0:
        return f"no {noun} has a value of {column}"
    if table.shape[1] == 1:
        return f"there is one {column}" + (f", {only}" if only else "")
    return "there is one cluster" if np.count_nonzero(table.sum(1)) < 2 else ""


def _information(table: Array) -> tuple[float, float]:
    """(mutual information, mean of both entropies) of a table of counts, in nats."""
    joint = table / table.sum()
    rows, columns = entr(joint.sum(1)).sum(), entr(joint.sum(0)).sum()
    return float(rows + columns - entr(joint).sum()), float(rows + columns) / 2


def _expected_information(table: Array) -> float:
    """Mean mutual information, in nats, of all tables with the row and column sums of `table` (Vinh et al. 2010, theorem 9).

    Here and not from scikit-learn, whose import takes longer than all else that a relabelled report needs of it. Cells of equal
    sums are one; those of one row are computed together.
    """
    total, mean = int(table.sum()), 0.0
    sums, slides = np.unique(table.sum(0), return_counts=True)
    slides, sums = slides[sums > 0], sums[sums > 0]
    for a in table.sum(1).tolist():
        for part in _parts(sums, a, total) if a else ():
            mean += float(_expected_cells(a, sums[part], total) @ slides[part])
    return mean


def _window(a: int, sums: Array, total: int) -> tuple[Array, Array]:
    """(least, most) count of a cell with the row sum `a` and each of these column sums, int64.

    The count is hypergeometric; ten standard deviations from its expectation it adds nothing."""
    expected = a * (sums / total)
    reach = 10 * np.sqrt(expected * (1 - a / total) * (1 - sums / total)) + 10
    least = np.maximum(np.maximum(0, a + sums - total), (expected - reach).astype(np.int64))
    return least, np.minimum(np.minimum(a, sums), (expected + reach).astype(np.int64))


def _parts(sums: Array, a: int, total: int) -> Iterator[slice]:
    """Slices of ascending column sums whose cells are held at once, at most JOINT_CELLS counts of them."""
    least, most = _window(a, sums, total)
    widths, start = np.maximum.accumulate(most - least + 1), 0
    while start < len(sums):
        held = widths[start:] * np.arange(1, len(sums) - start + 1)
        end = start + max(1, int(np.searchsorted(held, JOINT_CELLS, "right")))
        yield slice(start, end)
        start = end


def _expected_cells(a: int, sums: Array, total: int) -> Array:
    """What a cell with the row sum `a` adds to the expected information, for each of these column sums; float (sum,).

    Chances of neighbouring counts are told by their ratio: factorials of so many tiles would leave seven digits of them.
    """
    least, most = _window(a, sums, total)
    n = least[:, None] + np.arange(int((most - least).max()) + 1)
    is_inside, b = n <= most[:, None], sums[:, None]
    n = np.minimum(n, most[:, None])
    ratios = np.log((a - n[:, :-1]).clip(1) * (b - n[:, :-1]).clip(1).astype(float))
    ratios -= np.log((n[:, :-1] + 1) * (total - a - b + n[:, :-1] + 1).astype(float))
    logs = np.cumsum(np.concatenate([np.zeros((len(sums), 1)), ratios], 1), 1)
    logs[~is_inside] = -np.inf
    chance = np.exp(logs - logs.max(1, keepdims=True))
    information = n / total * np.log(np.maximum(n, 1) / (a * (b / total)))
    return np.asarray((information * chance).sum(1) / chance.sum(1))


def _chance_information(counts: Array, assigned: Array, values: int) -> Array:
    """Mutual information of cluster and value for each row of `assigned`, the value of every slide; float (rows,)."""
    joint = _joint(counts, assigned, values) / counts.sum()
    return np.asarray(entr(joint.sum(2)).sum(1) + entr(joint.sum(1)).sum(1) - entr(joint).sum((1, 2)))


def _joint(counts: Array, assigned: Array, values: int) -> Array:
    """Tiles of each cluster and value, int64 (rows, values, clusters), for each row of `assigned`, the value of every slide.

    By a sparse indicator: a dense one of as many values as subjects is of slides x subjects a row.
    """
    rows, slides = assigned.shape
    places = (assigned + values * np.arange(rows)[:, None]).T.ravel()
    ends = np.arange(slides + 1) * rows
    indicator = csc_array((np.ones(len(places), np.int64), places, ends), shape=(rows * values, slides))
    return np.asarray(indicator @ counts.T).reshape(rows, values, len(counts))


def _least_p(sizes: Array) -> float:
    """One over the number of ways to divide units into sets of these sizes, sets of one size being interchangeable."""
    alike = np.unique(sizes, return_counts=True)[1]
    ways = gammaln(sizes.sum() + 1) - gammaln(sizes + 1).sum() - gammaln(alike + 1).sum()
    return float(np.exp(-ways))


def _above_chance(shared: float, chance: float, bound: float) -> float:
    return (shared - chance) / max(bound - chance, 1e-12)
