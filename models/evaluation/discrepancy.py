"""discrepancy: how far two samples of embeddings are from having one distribution: the maximum mean discrepancy (MMD).

Gretton et al. 2012, JMLR 13:723: the unbiased estimate of the squared MMD with a Gaussian kernel, whose width is the median
distance between all embeddings. It is 0 on average for samples of one distribution, and can then be negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist, squareform

from ..seeds import numpy_generator

Array = npt.NDArray[Any]
DRAWS = 999
"""Permutations of the p-value, whose smallest value is 1 / (1 + DRAWS)."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Squared MMD between two samples."""

    mmd2: float
    p: float
    """Share of permutations with at least this MMD; with one for the samples as they are (Phipson & Smyth 2010)."""


def discrepancy(first: Array, second: Array, *, paired: bool = False, seed: int = 0) -> Discrepancy:
    """Squared MMD between embeddings (n, F) and (m, F), with the p-value of a permutation test.

    `paired`: row i of both is one subject. Permutations then exchange a subject's two scans, as scans of one person are alike
    and no others may be exchanged. Figures are nan where a sample has fewer than two rows.
    """
    n, m = len(first), len(second)
    if min(n, m) < 2:
        return Discrepancy(float("nan"), float("nan"))
    if paired and n != m:
        raise ValueError(f"paired samples have the same number of rows, not {n} and {m}")
    kernel = _kernel(np.concatenate([first, second]).astype(np.float64))
    draw = numpy_generator(seed, "discrepancy")
    member = np.concatenate([np.ones(n), np.zeros(m)])
    members = np.stack([member, *(_permuted(member, n, paired, draw) for _ in range(DRAWS))])
    figures = _squared(kernel, members)
    return Discrepancy(float(figures[0]), float((figures >= figures[0] - 1e-12).mean()))


def _kernel(rows: Array) -> Array:
    squares = pdist(rows, "sqeuclidean")
    median = float(np.median(squares))
    return np.asarray(np.exp(-squareform(squares) / (median or 1.0) / 2))


def _permuted(member: Array, n: int, paired: bool, draw: np.random.Generator) -> Array:
    if not paired:
        return draw.permutation(member)
    stays = draw.integers(0, 2, n)
    return np.concatenate([stays, 1 - stays]).astype(np.float64)


def _squared(kernel: Array, members: Array) -> Array:
    """Unbiased squared MMD for each row of `members`: 1 for rows of the first sample, 0 for those of the second."""
    n, others = members.sum(1), 1.0 - members
    m = others.sum(1)
    diagonal = np.diag(kernel)
    first = ((members @ kernel) * members).sum(1) - members @ diagonal
    second = ((others @ kernel) * others).sum(1) - others @ diagonal
    between = ((members @ kernel) * others).sum(1)
    return np.asarray(first / (n * (n - 1)) + second / (m * (m - 1)) - 2 * between / (n * m))
