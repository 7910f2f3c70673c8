"""CentrePhase: a classical clustering as a phase of training: one step a seed, and a head of centres for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..clustering.components import PrincipalSpace
from ..clustering.distances import squared_gaps
from ..networks.centre_head import CentreHead
from .head_quality import HeadQuality, Survey, survey
from .partitioners import Partitioner
from .phases import check_finite

Array = npt.NDArray[Any]


class CentrePhase:
    """Clusters the principal components of the unchanged patches (view 0); step `s` does seed number `s`.

    A head's probabilities are those of equal round Gaussians around the centres. Their variance is the mean squared distance
    to the nearest centre, over the number of directions in which the embeddings vary.
    """

    name = "clusters"

    def __init__(self, embeddings_VNF: Tensor, clusters: int, seeds: Sequence[int], partitioner: Partitioner) -> None:
        self.steps, self._embeddings_VNF = len(seeds), embeddings_VNF
        self._seeds, self._clusters, self._partitioner = tuple(seeds), clusters, partitioner
        embeddings_NF = embeddings_VNF[0].numpy()
        self._space = PrincipalSpace.of(embeddings_NF)
        self._points_NC = self._space.coordinates(embeddings_NF)
        size, count = embeddings_NF.shape[1], partitioner.centres(clusters, len(embeddings_NF))
        self._heads = [CentreHead(size, count, clusters) for _ in seeds]
        self._losses_S = torch.zeros(len(seeds))

    def step(self, index: int) -> dict[str, float]:
        """Cluster with seed number `index`; the loss is the mean squared distance to the nearest centre, per component."""
        centres, head = self._partitioner(self._points_NC, self._clusters, self._seeds[index]), self._heads[index]
        space = self._space
        head.fine.set_centres(space.mean, space.scale, space.standardised(centres.places), centres.parents)
        squared = float(squared_gaps(self._points_NC, centres.places).min(1).mean())
        head.width.fill_(max(squared / _directions(self._points_NC), 1e-12) ** 0.5)
        loss = squared / self._points_NC.shape[1]
        check_finite(self.name, index, loss)
        self._losses_S[index] = loss
        return {"loss": loss}

    def state(self) -> dict[str, Tensor]:
        heads = {
            f"{s}.{name}": t.clone() for s, head in enumerate(self._heads) for name, t in head.state_dict().items()
        }
        return {**heads, "losses": self._losses_S.clone()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._losses_S.copy_(state["losses"])
        for s, head in enumerate(self._heads):
            head.load_state_dict({name: state[f"{s}.{name}"] for name in head.state_dict()})

    def extract(self, seed: int) -> CentreHead:
        """The head of one seed."""
        return self._heads[self._seeds.index(seed)]

    @torch.inference_mode()
    def qualities(self) -> list[HeadQuality]:
        """Quality of the head of every seed, with the loss of its step."""
        return [
            replace(self._survey(head).quality((), self._clusters, seed), loss=float(loss))
            for seed, head, loss in zip(self._seeds, self._heads, self._losses_S, strict=True)
        ]

    @torch.inference_mode()
    def labels(self) -> dict[tuple[int, int], Array]:
        """(K, seed) -> cluster of each unchanged patch (view 0), int64 (N,)."""
        parts = torch.split(self._embeddings_VNF[0], 1024)
        return {
            (self._clusters, seed): torch.cat([head(part).argmax(-1) for part in parts]).numpy()
            for seed, head in zip(self._seeds, self._heads, strict=True)
        }

    def _survey(self, head: CentreHead) -> Survey:
        """Shares of the clusters; without a loss, which is that of the step."""
        return survey(self._embeddings_VNF, head, lambda p_BK, _: p_BK.new_zeros(()))


def _directions(points_NC: Array) -> float:
    """Number of directions in which points vary: (sum of variances)² / sum of squared covariances."""
    covariance_CC = np.atleast_2d(np.cov(points_NC.T, ddof=0))
    return float(np.trace(covariance_CC) ** 2 / max(np.square(covariance_CC).sum(), 1e-12))
