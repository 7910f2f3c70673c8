"""Losses of a patch and its neighbour, which should share a cluster, as pure functions of probabilities.

Axes are those of clustering.py: K clusters last, B patches before it, heads that are trained side by side in front.
"""

from __future__ import annotations

from torch import Tensor

from .clustering import MIN_PROBABILITY, entropy

TEMI_BETA = 0.6
"""Exponent of TEMI, from 0.5 to 1: the lower, the more evenly all clusters are used; at 1 some may stay empty."""


def scan(p_BK: Tensor, near_BK: Tensor, weight: float = 5.0) -> Tensor:
    """Semantic clustering by adopting nearest neighbours: -mean ln <p, p of the neighbour> - weight · H(mean p).

    Van Gansbeke et al., ECCV 2020; the weight is that of the paper's experiments with ten classes.

    >>> import torch
    >>> round(scan(torch.eye(4), torch.eye(4), weight=1.0).item(), 3)  # -ln 4
    -1.386
    """
    alike_B = (p_BK * near_BK).sum(-1)
    return -alike_B.clamp_min(MIN_PROBABILITY).log().mean(-1) - weight * entropy(p_BK.mean(-2))


def temi(
    student_BK: Tensor, teacher_BK: Tensor, mean_K: Tensor, weight_B: Tensor | None = None, beta: float = TEMI_BETA
) -> Tensor:
    """Self-distillation by pointwise mutual information: -mean of weight · ln sum over K of (student · teacher)^beta / mean.

    `student_BK` are probabilities of a patch, `teacher_BK` those of its neighbour, `mean_K` the teacher's mean probabilities,
    and `weight_B` says how likely the two share a cluster (`agreement_weight`; 1 without it). No gradient should flow through
    the teacher. Adaloglou et al., BMVC 2023.
    """
    shared_BK = (student_BK * teacher_BK).clamp_min(MIN_PROBABILITY**2).pow(beta)
    information_B = (shared_BK / mean_K.clamp_min(MIN_PROBABILITY).unsqueeze(-2)).sum(-1).log()
    return -(information_B if weight_B is None else weight_B * information_B).mean(-1)


def agreement_weight(teacher_HBK: Tensor, near_HBK: Tensor) -> Tensor:
    """How likely a patch and its neighbour share a cluster: <p, p of the neighbour>, the mean over the heads H; shape (B,)."""
    return (teacher_HBK * near_HBK).sum(-1).mean(-2)
