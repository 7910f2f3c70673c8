"""Metric losses: they pull embeddings of one class together and push other classes apart; pure functions of tensors.

Unlike clustering losses they use known classes. Class -1 is unknown; such rows count only where a docstring says so.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .clustering import entropy

Distance = Literal["sq", "l2"]
DISTANCES: tuple[Distance, ...] = ("sq", "l2")


def distances(embeddings_BF: Tensor, prototypes_KF: Tensor, distance: Distance = "sq") -> Tensor:
    """Squared ("sq") or plain ("l2") Euclidean distances (B, K)."""
    squared_BK = (embeddings_BF.unsqueeze(1) - prototypes_KF.unsqueeze(0)).square().sum(-1)
    # the square root has no finite slope at 0, and an embedding may be its own prototype
    return squared_BK if distance == "sq" else squared_BK.clamp_min(1e-12).sqrt()


def prototype_loss(
    embeddings_BF: Tensor,
    classes_B: Tensor,
    prototypes_KF: Tensor,
    temperature: float = 1.0,
    distance: Distance = "sq",
) -> Tensor:
    """Cross-entropy of softmax(-distance to each class's prototype / temperature); rows of class -1 are left out.

    A prototype is the embedding of one sample of its class (Hoffer, Ailon, arXiv 1611.01449, eq. 4) or the mean of several
    (Snell et al., NeurIPS 2017). Both print a squared distance; the program published with the first takes the square root.

    >>> zero, one = torch.zeros(1, 2), torch.tensor([[0.0, 1.0]])
    >>> round(prototype_loss(zero, torch.tensor([0]), torch.cat([zero, one])).item(), 4)  # ln(1 + 1/e)
    0.3133
    """
    known = classes_B >= 0
    if not bool(known.any()):
        return embeddings_BF.sum() * 0.0
    nearness_BK = -distances(embeddings_BF[known], prototypes_KF, distance) / temperature
    return F.cross_entropy(nearness_BK, classes_B[known])


def entropy_unlabelled(
    embeddings_BF: Tensor,
    classes_B: Tensor,
    prototypes_KF: Tensor,
    temperature: float = 1.0,
    distance: Distance = "sq",
) -> Tensor:
    """Mean entropy, in nats, of the softmax of `prototype_loss` over rows of class -1.

    It is small where each unlabelled embedding is near one prototype.
    """
    unknown = classes_B < 0
    if not bool(unknown.any()):
        return embeddings_BF.sum() * 0.0
    nearness_BK = -distances(embeddings_BF[unknown], prototypes_KF, distance) / temperature
    return entropy(nearness_BK.softmax(-1)).mean()


def draw_prototypes(classes_B: Tensor, count: int, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw rows as prototypes: (weights (K, B), whose product with embeddings gives the prototypes; drawn rows (B,) bool).

    `count` rows of each class in the batch, fewer where no row would be left to compare. K is the largest class + 1; a
    class that is not in the batch has zero weights.
    """
    classes = int(classes_B.max().item()) + 1
    weights_KB = torch.zeros(classes, len(classes_B))
    for label in range(classes):
        rows = (classes_B == label).nonzero().flatten().cpu()
        if len(rows):
            drawn = rows[torch.randperm(len(rows), generator=source)[: max(1, min(count, len(rows) - 1))]]
            weights_KB[label, drawn] = 1.0 / len(drawn)
    return weights_KB.to(classes_B.device), (weights_KB > 0).any(0).to(classes_B.device)


def triplet(embeddings_BF: Tensor, classes_B: Tensor, margin: float = 0.2) -> Tensor:
    """Triplet margin loss over all violating triplets of the batch, on embeddings of length 1; Schroff et al., CVPR 2015."""
    from pytorch_metric_learning.losses import TripletMarginLoss

    known = classes_B >= 0
    loss: Tensor = TripletMarginLoss(margin=margin)(embeddings_BF[known], classes_B[known])
    return loss


def contrastive(embeddings_BF: Tensor, classes_B: Tensor, temperature: float = 0.1) -> Tensor:
    """Supervised contrastive loss on embeddings of length 1; Khosla et al., NeurIPS 2020, eq. 2."""
    from pytorch_metric_learning.losses import SupConLoss

    known = classes_B >= 0
    loss: Tensor = SupConLoss(temperature=temperature)(embeddings_BF[known], classes_B[known])
    return loss


def proxy_anchor(embeddings_BF: Tensor, classes_B: Tensor, proxies_KF: Tensor, margin: float = 0.1) -> Tensor:
    """Proxy-anchor loss with one learnt proxy per class; Kim et al., CVPR 2020, eq. 4."""
    from pytorch_metric_learning.losses import ProxyAnchorLoss

    loss_of: Any = ProxyAnchorLoss(len(proxies_KF), proxies_KF.shape[1], margin=margin)
    del loss_of.proxies  # the loss draws its own from the global generator, outside of the checkpoint
    loss_of.proxies = proxies_KF
    known = classes_B >= 0
    loss: Tensor = loss_of(embeddings_BF[known], classes_B[known])
    return loss


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, embeddings: Tensor) -> Tensor:
        return embeddings.view_as(embeddings)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]


def reversed_gradient(embeddings_BF: Tensor) -> Tensor:
    """Gradient reversal: the identity, whose gradient has the opposite sign; Ganin, Lempitsky, ICML 2015."""
    turned: Tensor = _Reversed.apply(embeddings_BF)  # type: ignore[no-untyped-call]
    return turned


def site_loss(head: Callable[[Tensor], Tensor], embeddings_BF: Tensor, sites_B: Tensor) -> Tensor:
    """Cross-entropy of an adversary, a head (B, F) -> (B, S) that predicts the site; rows of site -1 are left out.

    The head minimises it; the reversed gradient makes embeddings maximise it, at best to chance level, ln(number of sites).
    The head sees embeddings standardised over the batch. Only rows that it predicts better than chance pass a reversed
    gradient: otherwise embeddings would grow to make the head wrong instead of uninformed.
    """
    known = sites_B >= 0
    if int(known.sum()) < 2:
        return embeddings_BF.sum() * 0.0
    even_BF = F.batch_norm(embeddings_BF[known], None, None, training=True)
    with torch.no_grad():
        logits_BS = head(even_BF)
        above_chance_B = F.cross_entropy(logits_BS, sites_B[known], reduction="none") < log(logits_BS.shape[1])
    seen_BF = torch.where(above_chance_B.unsqueeze(1), reversed_gradient(even_BF), even_BF.detach())
    return F.cross_entropy(head(seen_BF), sites_B[known])
