"""Clustering losses: information maximisation, as pure functions of tensors.

The last axis K of every input holds probabilities, the axis B before it is the batch. Further axes in front are heads that
are trained side by side; the result keeps them: `iic(p_SBK, q_SBK)` has shape (S,).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

MIN_PROBABILITY = 1e-8
"""Lower bound of probabilities under the logarithm; a probability of 0 still contributes exactly 0."""


def iic(p_BK: Tensor, q_BK: Tensor, lam: float = 1.0) -> Tensor:
    """Invariant information clustering: minus the mutual information of two views' clusters; −ln K at best (lam 1).

    `lam` over 1 weighs clusters of equal size more strongly. Ji, Henriques, Vedaldi, ICCV 2019, eq. 3.

    >>> round(iic(torch.eye(4), torch.eye(4)).item(), 3)  # -ln 4
    -1.386
    """
    joint_KK = p_BK.transpose(-2, -1) @ q_BK
    joint_KK = (joint_KK + joint_KK.transpose(-2, -1)) / 2
    joint_KK = joint_KK / joint_KK.sum((-2, -1), keepdim=True)
    row_K = _log(joint_KK.sum(-1))
    independent_KK = row_K.unsqueeze(-1) + row_K.unsqueeze(-2)
    return -(joint_KK * (_log(joint_KK) - lam * independent_KK)).sum((-2, -1))


def entropy(p_K: Tensor) -> Tensor:
    """Entropy in nats over the last axis."""
    return -(p_K * _log(p_K)).sum(-1)


def mutual_information(p_BK: Tensor) -> Tensor:
    """Information between patch and cluster, H(mean p) − mean H(p), in nats; Krause et al., NeurIPS 2010."""
    return entropy(p_BK.mean(-2)) - entropy(p_BK).mean(-1)


def divergence(p_BK: Tensor, q_BK: Tensor) -> Tensor:
    """KL(p ‖ q) over the last axis, in nats."""
    return (p_BK * (_log(p_BK) - _log(q_BK))).sum(-1)


def imsat(
    p_BK: Tensor, perturbed_BK: Tensor, weight: float = 0.1, mu: float = 4.0, prior_K: Tensor | None = None
) -> Tensor:
    """Information maximising self-augmented training: KL(p ‖ perturbed) + weight · (H(Y|X) − mu · H(Y)).

    `perturbed_BK` are the probabilities of an augmented view or of an adversarial neighbour (`vat_perturbation`); as
    in the paper no gradient flows through p in the first term. With a `prior_K`, −H(Y) becomes KL(mean p ‖ prior):
    the sizes of clusters should follow that distribution instead of being equal. Hu et al., ICML 2017, eq. 11 and 14.
    """
    augmented = divergence(p_BK.detach(), perturbed_BK).mean(-1)
    mean_K = p_BK.mean(-2)
    uneven = -entropy(mean_K) if prior_K is None else divergence(mean_K, prior_K)
    return augmented + weight * (entropy(p_BK).mean(-1) + mu * uneven)


def vicreg(one_BF: Tensor, other_BF: Tensor, covariance: float = 0.04) -> Tensor:
    """VICReg: two views' embeddings should be equal, with standard deviation 1 and no correlation between features.

    Mean squared difference + shortfall of the standard deviations below 1 + `covariance` × squared covariances off the
    diagonal, per feature. Bardes, Ponce, LeCun, ICLR 2022, eq. 6 divided by 25.
    """
    loss = (one_BF - other_BF).square().mean()
    for embeddings_BF in (one_BF, other_BF):
        centred = embeddings_BF - embeddings_BF.mean(0)
        table_FF = centred.T @ centred / max(1, len(embeddings_BF) - 1)
        spread_F = (table_FF.diagonal() + 1e-4).sqrt()
        off = table_FF.square().sum() - table_FF.diagonal().square().sum()
        loss = loss + (1.0 - spread_F).clamp_min(0.0).mean() / 2 + covariance * off / len(table_FF) / 2
    return loss


def neighbour_radius(embeddings_NF: Tensor, neighbour: int = 10, scale: float = 0.25, chunk: int = 1024) -> Tensor:
    """Radius of adversarial steps: `scale` × the distance to the `neighbour`-th nearest neighbour, shape (N,)."""
    rank = min(neighbour, len(embeddings_NF) - 1) + 1
    if rank < 2:
        return torch.zeros(len(embeddings_NF))
    parts = [
        torch.cdist(part, embeddings_NF).kthvalue(rank, dim=1).values for part in torch.split(embeddings_NF, chunk)
    ]
    return torch.cat(parts) * scale


def vat_perturbation(
    classify: Callable[[Tensor], Tensor],
    embeddings_BF: Tensor,
    radius_B: Tensor,
    source: torch.Generator,
    probe: float = 10.0,
) -> Tensor:
    """Adversarial step of length `radius_B` that changes the probabilities of `classify` most, shape of `embeddings_BF`.

    One power iteration with a probe of length `probe`; Miyato et al., TPAMI 2018, alg. 1. The network's gradients are not
    touched.
    """
    direction = _unit(torch.randn(embeddings_BF.shape, generator=source)).requires_grad_()
    with torch.enable_grad():
        changed = divergence(
            classify(embeddings_BF).detach(), classify(embeddings_BF.detach() + probe * direction)
        ).sum()
        (steepest,) = torch.autograd.grad(changed, direction)
    return _unit(steepest) * radius_B.unsqueeze(-1)


def _unit(vectors: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / length.clamp_min(1e-12)


def _log(p: Tensor) -> Tensor:
    return p.clamp_min(MIN_PROBABILITY).log()
