"""groups: the composition of slides compared between groups of subjects, cluster by cluster.

The unit is the subject: tiles of a slide, and slides of a subject, are alike, and a test over tiles finds a difference between
any two groups. Shares sum to 1, so they are compared as centred log-ratios (Aitchison 1982, J. R. Stat. Soc. B 44:139): the
logarithm of a cluster's share over the geometric mean of all shares. Where one cluster grows, the ratios of all others shrink.

* zeros: a subject's share below 0.65 / (its tiles) becomes that, and its other shares shrink in proportion (multiplicative
  replacement, Martin-Fernandez et al. 2003, Math. Geol. 35:253);
* test: ranks of the log-ratios (Kruskal-Wallis; with two groups, Mann-Whitney), p by permutation of the subjects, exact where
  there are few ways to divide them, else drawn (Phipson & Smyth 2010);
* all clusters: q of Benjamini & Hochberg 1995, the share of false findings among those with this q or less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control

from .effects import Effect, log_ratio_effect
from .permutations import rank_test

Array = npt.NDArray[Any]
MIN_SUBJECTS = 3
"""Fewest subjects of a group that is compared."""
ZERO_SHARE = 0.65
"""Tiles that stand for none, the usual part of the detection limit (one tile)."""


@dataclass(frozen=True, slots=True)
class ClusterDifference:
    """One cluster compared between groups."""

    cluster: int
    """Counted from 1."""
    means: tuple[float, ...]
    """Mean share of the subjects of each group."""
    p: float
    q: float
    """p corrected for the number of clusters."""
    effects: tuple[Effect, ...]
    """One a pair of groups."""


@dataclass(frozen=True, slots=True)
class GroupComparison:
    """All clusters compared between groups of subjects."""

    groups: tuple[str, ...] = ()
    """Compared groups, sorted."""
    subjects: tuple[int, ...] = ()
    """Subjects of each group."""
    differences: tuple[ClusterDifference, ...] = ()
    least_p: float = float("nan")
    """The smallest p-value that so few subjects can give."""
    left_out: tuple[str, ...] = ()
    """Slides and groups that do not take part, in words."""
    reason: str = ""
    """Why nothing is compared; empty where something is."""


def compare_groups(counts: Array, groups: Sequence[str], *, subjects: Sequence[str], seed: int = 0) -> GroupComparison:
    """Compare the clusters' shares between groups; `counts` are tiles (cluster, slide), `groups` and `subjects` one a slide.

    A slide without a group ("") or without tiles is left out; one without a subject is a subject of its own; a group of fewer
    than `MIN_SUBJECTS` subjects is left out. What is left out is said.
    """
    used = np.array([bool(group) for group in groups]) & (counts.sum(0) > 0)
    own = np.array([subject or f"\0{i}" for i, subject in enumerate(subjects)], str)[used]
    group_of_slide = np.asarray(groups, str)[used]
    notes = [f"slides without a group or without tiles: {n}"] if (n := int((~used).sum())) else []
    names, slide = np.unique(own, return_inverse=True)
    shared = [name for i, name in enumerate(names) if len(set(group_of_slide[slide == i])) > 1]
    if shared:
        reason = f"subjects with slides in more than one group: {len(shared)}, such as {shared[0]}"
        return GroupComparison(left_out=tuple(notes), reason=reason)
    group_of_subject = np.array([group_of_slide[slide == i][0] for i in range(len(names))], str)
    values, sizes = np.unique(group_of_subject, return_counts=True)
    notes += [_too_small(v, n) for v, n in zip(values, sizes, strict=True) if n < MIN_SUBJECTS]
    kept = values[sizes >= MIN_SUBJECTS]
    if len(kept) < 2 or len(counts) < 2:
        return GroupComparison(left_out=tuple(notes), reason=_reason(len(values), len(kept)))
    chosen = np.isin(group_of_subject, kept)
    shares, tiles = subject_shares(counts[:, used], slide)
    ratios = centred_log_ratios(shares[chosen], tiles[chosen])
    group = np.searchsorted(kept, group_of_subject[chosen])
    p, least = rank_test(ratios, group, seed=seed)
    return GroupComparison(
        groups=tuple(kept.tolist()),
        subjects=tuple(np.bincount(group).tolist()),
        differences=_differences(shares[chosen], ratios, group, p),
        least_p=least,
        left_out=tuple(notes),
    )


def subject_shares(counts: Array, subject: Array) -> tuple[Array, Array]:
    """(mean of the shares of each subject's slides, float (subjects, clusters); its tiles, (subjects,)).

    `counts` are tiles (cluster, slide), `subject` is int (slides,). Slides weigh the same, however large.
    """
    member = np.eye(subject.max() + 1)[subject]
    shares = (counts / counts.sum(0)) @ member / member.sum(0)
    return shares.T, counts.sum(0) @ member


def centred_log_ratios(shares: Array, tiles: Array) -> Array:
    """Natural logarithm of each share over the geometric mean of its row, with zeros replaced; float (subjects, clusters).

    >>> centred_log_ratios(np.array([[0.8, 0.2]]), np.array([100])).round(3).tolist()
    [[0.693, -0.693]]
    """
    least = (ZERO_SHARE / tiles)[:, None]
    small = shares < least
    rest = 1 - least * small.sum(1, keepdims=True)
    large = np.where(small, 0, shares)
    logs = np.log(np.where(small, least, large / large.sum(1, keepdims=True) * rest))
    return np.asarray(logs - logs.mean(1, keepdims=True))


def _differences(shares: Array, ratios: Array, group: Array, p: Array) -> tuple[ClusterDifference, ...]:
    count = int(group.max()) + 1
    q = false_discovery_control(p, method="bh")
    return tuple(
        ClusterDifference(
            cluster=k + 1,
            means=tuple(float(shares[group == g, k].mean()) for g in range(count)),
            p=float(p[k]),
            q=float(q[k]),
            effects=tuple(log_ratio_effect(ratios[:, k], group, pair) for pair in combinations(range(count), 2)),
        )
        for k in range(shares.shape[1])
    )


def _too_small(group: str, size: int) -> str:
    return f"group {group}, with {size} of the {MIN_SUBJECTS} subjects that a comparison needs"


def _reason(groups: int, large: int) -> str:
    if not groups:
        return "no slide has a group"
    if groups == 1:
        return "there is one group"
    return "there is one cluster" if large >= 2 else f"fewer than two groups have {MIN_SUBJECTS} subjects"
