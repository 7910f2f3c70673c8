"""Losses of a patch and its neighbour, which should share a cluster, as pure functions of probabilities.

Axes are those of clustering.py: K clusters last, B patches before it, heads that are trained side by side in front.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import one_hot

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


def self_label(p_BK: Tensor, view_BK: Tensor, confidence: float = 0.99) -> Tensor:
    """SCAN's second part: cross-entropy of a view with its patch's cluster, over patches that are sure of it; 0 without any.

    A patch is sure if a probability is over `confidence`. Clusters weigh alike, whatever their number of sure patches. No
    gradient flows through `p_BK`. Van Gansbeke et al., ECCV 2020, section 2.3.

    >>> import torch
    >>> sure, half = torch.tensor([[1.0, 0.0], [0.6, 0.4]]), torch.full((2, 2), 0.5)
    >>> round(self_label(sure, half).item(), 3)  # ln 2: the first patch alone counts
    0.693
    """
    likely_B = p_BK.detach().max(-1)
    chosen_BK = one_hot(likely_B.indices, p_BK.shape[-1]) * (likely_B.values > confidence).unsqueeze(-1)
    count_K = chosen_BK.sum(-2)
    entropy_K = -(chosen_BK * view_BK.clamp_min(MIN_PROBABILITY).log()).sum(-2) / count_K.clamp_min(1)
    return entropy_K.sum(-1) / (count_K > 0).sum(-1).clamp_min(1)


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
