"""HeadSweep: the phase that trains the heads of all K and seeds together, on cached embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..losses.clustering import iic, imsat
from ..losses.neighbour_losses import scan, self_label
from ..neighbours.knn import nearest_patches
from ..networks.cluster_heads import NEAR_UNIFORM, ClusterHead, HeadBank
from ..networks.clusterer import COLLAPSED_BELOW, effective_clusters
from ..seeds import generator
from .head_quality import HeadQuality, Survey, survey
from .optimiser import Adam
from .pairs import PairSampler
from .phases import check_finite

Array = npt.NDArray[Any]
ClusteringObjective = Literal["iic", "imsat", "scan"]
CLUSTERING_OBJECTIVES: tuple[ClusteringObjective, ...] = ("iic", "imsat", "scan")
IIC_LAMBDA = 1.5
"""`lam` of IIC. At 1 clusters often stay empty: of 14 planted clusters 61 % were found, at 1.5 89 %."""
IMSAT_WEIGHT = 0.3
"""Weight of IMSAT's information term. Views differ more than the paper's adversarial steps: at its 0.1 the probabilities of
real embeddings stay nearly equal."""
SCAN_WEIGHT = 2.0
"""Weight of SCAN's entropy. On colon tiles (two seeds, K = 5 and 8) the normalised mutual information with the classes is .275
and .313, at the paper's 5 .229 and .283."""
FIRST_SCALE: dict[ClusteringObjective, float] = {"iic": 1.0, "imsat": NEAR_UNIFORM, "scan": NEAR_UNIFORM}
"""Scale of the last layers' initial weights: IIC needs an initial partition, the others do not."""
NEIGHBOUR_SHARE: dict[ClusteringObjective, float] = {"iic": 0.5, "imsat": 0.5, "scan": 1.0}
"""Share of pairs whose second view shows a neighbour of the patch instead of the patch itself."""
NEIGHBOURS: dict[ClusteringObjective, int] = {"iic": 10, "imsat": 10, "scan": 20}
SELF_LABEL_FROM = 0.7
"""Share of the steps after which SCAN's heads learn from the patches that they are sure of."""
CHECK_SHARES = (0.25, 0.5)
"""Shares of the steps after which collapsed heads are restarted."""


def objective_loss(objective: ClusteringObjective, p_BK: Tensor, q_BK: Tensor) -> Tensor:
    """The clustering loss of two views' probabilities, for any leading axes; shared by sweep and fine-tuning."""
    if objective == "scan":
        return scan(p_BK, q_BK, weight=SCAN_WEIGHT)
    return iic(p_BK, q_BK, lam=IIC_LAMBDA) if objective == "iic" else imsat(p_BK, q_BK, weight=IMSAT_WEIGHT)


class HeadSweep:
    """Trains all heads at once by IIC, IMSAT or SCAN; Adam at 1e-3. Seeds are independent of each other."""

    name = "heads"

    def __init__(
        self,
        embeddings_VNF: Tensor,
        clusters: Sequence[int],
        seeds: Sequence[int] = (0, 1, 2, 3, 4),
        objective: ClusteringObjective = "iic",
        steps: int = 600,
        batch: int = 512,
    ) -> None:
        self.objective, self.steps = objective, steps
        self.bank = HeadBank(embeddings_VNF.shape[-1], clusters, seeds, scale=FIRST_SCALE[objective])
        self.bank.standardise(embeddings_VNF.flatten(0, 1))
        self._embeddings_VNF = embeddings_VNF
        points_NF = (embeddings_VNF[0] - self.bank.mean_F) / self.bank.scale_F
        near_NM = nearest_patches(points_NF, NEIGHBOURS[objective])
        self._pairs = PairSampler(embeddings_VNF, near_NM, NEIGHBOUR_SHARE[objective], seeds, self.name, batch)
        self._views = PairSampler(embeddings_VNF, near_NM, 0.0, seeds, self.name, batch)
        self._adam = Adam({"bank": (self.bank, 1e-3)}, steps)
        self._restarts_SJ = torch.zeros(len(seeds), len(self.bank.clusters), dtype=torch.int64)

    def step(self, index: int) -> dict[str, float]:
        if index in {int(self.steps * share) for share in CHECK_SHARES}:
            self._restart_collapsed()
        is_self_labelling = self.objective == "scan" and index >= SELF_LABEL_FROM * self.steps
        first_SBF, second_SBF = (self._views if is_self_labelling else self._pairs)[index]
        p_SJBK, p_over_SBK = self.bank(first_SBF)
        q_SJBK, q_over_SBK = self.bank(second_SBF)
        loss_of = self_label if is_self_labelling else partial(objective_loss, self.objective)
        loss = loss_of(p_SJBK, q_SJBK).mean(1).sum() + loss_of(p_over_SBK, q_over_SBK).sum()
        check_finite(self.name, index, value := float(loss.detach()))
        self._adam.step(loss, index)
        return {"loss": value / len(self.bank.seeds)}

    def state(self) -> dict[str, Tensor]:
        return {**self._adam.state(), "restarts": self._restarts_SJ.clone()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)
        self._restarts_SJ.copy_(state["restarts"])

    def extract(self, seed: int, clusters: int | None = None) -> ClusterHead:
        """The head of one seed and K as a separate network; K may be left out where there is only one."""
        return self.bank.extract(seed, self.bank.clusters[0] if clusters is None else clusters)

    @torch.inference_mode()
    def qualities(self) -> list[HeadQuality]:
        """Quality of every head except the over-clustering ones."""
        found = self._survey()
        return [
            found.quality((s, j), clusters, seed, int(self._restarts_SJ[s, j]))
            for j, clusters in enumerate(self.bank.clusters)
            for s, seed in enumerate(self.bank.seeds)
        ]

    @torch.inference_mode()
    def labels(self) -> dict[tuple[int, int], Array]:
        """(K, seed) -> cluster of each unchanged patch (view 0), int64 (N,)."""
        parts = [self._probabilities(part).argmax(-1) for part in torch.split(self._embeddings_VNF[0], 1024)]
        labels_SJN = torch.cat(parts, -1).numpy()
        return {
            (k, seed): np.ascontiguousarray(labels_SJN[s, j])
            for j, k in enumerate(self.bank.clusters)
            for s, seed in enumerate(self.bank.seeds)
        }

    def _probabilities(self, embeddings_BF: Tensor) -> Tensor:
        p_SJBK: Tensor = self.bank(embeddings_BF.expand(len(self.bank.seeds), -1, -1))[0]
        return p_SJBK

    def _survey(self) -> Survey:
        return survey(self._embeddings_VNF, self._probabilities, lambda p, q: objective_loss(self.objective, p, q))

    @torch.no_grad()
    def _restart_collapsed(self) -> None:
        effective_SJ = effective_clusters(self._survey().mean)
        for s, seed in enumerate(self.bank.seeds):
            for j, k in enumerate(self.bank.clusters):
                if effective_SJ[s, j] < COLLAPSED_BELOW * k:
                    self._restarts_SJ[s, j] += 1
                    draw = generator(seed, "restart", k, int(self._restarts_SJ[s, j]))
                    self.bank.restart(s, j, draw)
                    self._adam.forget(self.bank.last_SHJK, (s, slice(None), j))
                    self._adam.forget(self.bank.bias_SJK, (s, j))
