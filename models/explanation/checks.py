"""checks: whether a map of evidence depends on the weights, and whether what it marks decides the class.

* Randomised weights (Adebayo et al., NeurIPS 2018): the map of a network with random weights should not look like that of the
  network.
* Deletion (Petsiuk et al., BMVC 2018): the class should get less likely sooner when the cells of most evidence are deleted than
  when random cells are.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..networks.classifier import Classifier
from ..networks.film_network import FilmNetwork
from ..seeds import generator, initialise, numpy_generator
from .gradcam import evidence_maps

Array = npt.NDArray[Any]
Network = TypeVar("Network", bound=Classifier | FilmNetwork)
SHARES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Shares of the inside that are deleted."""


def randomised(network: Network, which: Literal["last_layer", "all_layers"], seed: int = 0) -> Network:
    """A copy of a network whose head, or all layers, have random weights; the statistics of its norms are kept."""
    copy = deepcopy(network)
    initialise(copy.head if which == "last_layer" else copy, generator(seed, "randomised", which))
    copy.eval()
    return copy


def rank_correlation(one: Array, other: Array, inside: Array) -> float:
    """Spearman's correlation of two maps over the cells inside; nan where one of them is constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(values[inside]) for values in (one, other)]
    if not inside.any() or min(np.ptp(r) for r in ranks) == 0:
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def randomised_likeness(network: Classifier | FilmNetwork, image_CZYX: Tensor, seed: int = 0) -> dict[str, float]:
    """Rank correlation of an image's map with those of the network's randomised copies, over cells that are not empty."""
    own, logits = evidence_maps(network, image_CZYX[None])
    target = [int(logits[0].argmax())]
    shape = torch.Size(own.shape[1:])
    inside = _share_inside(network, image_CZYX, shape) > 0
    names: tuple[Literal["last_layer", "all_layers"], ...] = ("last_layer", "all_layers")
    return {
        name: rank_correlation(
            own[0], evidence_maps(randomised(network, name, seed), image_CZYX[None], target)[0][0], inside
        )
        for name in names
    }


def _share_inside(network: Classifier | FilmNetwork, image_CZYX: Tensor, shape: torch.Size) -> Array:
    inside = network.inside(image_CZYX[None], shape)
    return np.ones(tuple(shape)) if inside is None else inside[0, 0].cpu().numpy()


@torch.inference_mode()
def deletion_curve(
    network: Classifier | FilmNetwork,
    image_CZYX: Tensor,
    order: Array,
    target: int,
    *,
    shares: Sequence[float] = SHARES,
    fill: float = 0.0,
) -> list[float]:
    """Probability of class `target` after a share of the cells was set to `fill`, those of highest `order` first.

    `order` has the image's sides; cells outside, where it is negative, are never deleted.
    """
    inside = np.flatnonzero(order.ravel() >= 0)
    ranked = inside[np.argsort(-order.ravel()[inside], kind="stable")]
    curve = []
    for share in shares:
        image = image_CZYX.clone().flatten(1)
        image[:, torch.from_numpy(ranked[: round(share * len(ranked))])] = fill
        logits = network(image.view(1, *image_CZYX.shape))
        curve.append(float(logits.softmax(1)[0, target]))
    return curve


def random_order(inside: Array, block: int, seed: int = 0) -> Array:
    """An order of deletion for comparison: random blocks, as large as the cells of a map; -1 outside."""
    counts = [-(-n // block) for n in inside.shape]
    values = numpy_generator(seed, "deletion").random(counts)
    for axis, n in enumerate(inside.shape):
        values = values.repeat(block, axis).take(np.arange(n), axis)
    return np.where(inside, values, -1.0)
