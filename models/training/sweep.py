"""HeadSweep: the phase that trains the heads of all K and seeds together, on cached embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..batches import Shuffled
from ..losses.clustering import entropy, iic, imsat
from ..neighbours.knn import nearest_patches
from ..networks.cluster_heads import NEAR_UNIFORM, ClusterHead, HeadBank
from ..networks.clusterer import COLLAPSED_BELOW, collapsed, effective_clusters, smallest_share
from ..seeds import generator
from .optimiser import Adam
from .phases import check_finite

Array = npt.NDArray[Any]
ClusteringObjective = Literal["iic", "imsat"]
CLUSTERING_OBJECTIVES: tuple[ClusteringObjective, ...] = ("iic", "imsat")
IIC_LAMBDA = 1.5
"""`lam` of IIC. At 1 clusters often stay empty: of 14 planted clusters 61 % were found, at 1.5 89 %."""
IMSAT_WEIGHT = 0.3
"""Weight of IMSAT's information term. Views differ more than the paper's adversarial steps: at its 0.1 the probabilities of
real embeddings stay nearly equal."""
FIRST_SCALE: dict[ClusteringObjective, float] = {"iic": 1.0, "imsat": NEAR_UNIFORM}
"""Scale of the last layers' initial weights: IIC needs an initial partition, IMSAT does not."""
NEIGHBOUR_SHARE = 0.5
"""Share of pairs whose second view shows a neighbour of the patch instead of the patch itself."""
CHECK_SHARES = (0.25, 0.5)
"""Shares of the steps after which collapsed heads are restarted."""


def objective_loss(objective: ClusteringObjective, p_BK: Tensor, q_BK: Tensor) -> Tensor:
    """The clustering loss of two views' probabilities, for any leading axes; shared by sweep and fine-tuning."""
    return iic(p_BK, q_BK, lam=IIC_LAMBDA) if objective == "iic" else imsat(p_BK, q_BK, weight=IMSAT_WEIGHT)


@dataclass(frozen=True, slots=True)
class HeadQuality:
    """Quality of the trained head of one K and seed."""

    clusters: int
    seed: int
    loss: float
    """Loss between view 0 and the last view, on up to 16 chunks of patches; lower is better, comparable within one K only."""
    effective: float
    """Effective number of clusters, exp(entropy of the mean probabilities): K at best."""
    smallest: float
    """Mean probability of the smallest cluster."""
    information: float
    """Mutual information of patch and cluster in nats: ln K at best, 0 if all patches have the same probabilities."""
    restarts: int
    collapsed: bool
    """Whether the head has collapsed after all restarts."""


class HeadSweep:
    """Trains all heads at once by IIC or IMSAT; Adam at 1e-3. Seeds are independent of each other."""

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
        self._near_NM = nearest_patches((embeddings_VNF[0] - self.bank.mean_F) / self.bank.scale_F)
        self._batches = [Shuffled(embeddings_VNF.shape[1], batch, seed, self.name) for seed in seeds]
        self._adam = Adam({"bank": (self.bank, 1e-3)}, steps)
        self._restarts_SJ = torch.zeros(len(seeds), len(self.bank.clusters), dtype=torch.int64)

    def step(self, index: int) -> dict[str, float]:
        if index in {int(self.steps * share) for share in CHECK_SHARES}:
            self._restart_collapsed()
        pairs = [self._pair(s, index) for s in range(len(self._batches))]
        p_SJBK, p_over_SBK = self.bank(torch.stack([first for first, _ in pairs]))
        q_SJBK, q_over_SBK = self.bank(torch.stack([second for _, second in pairs]))
        loss = objective_loss(self.objective, p_SJBK, q_SJBK).mean(1).sum()
        loss = loss + objective_loss(self.objective, p_over_SBK, q_over_SBK).sum()
        check_finite(self.name, index, value := float(loss.detach()))
        self._adam.step(loss, index)
        return {"loss": value / len(self._batches)}

    def state(self) -> dict[str, Tensor]:
        return {**self._adam.state(), "restarts": self._restarts_SJ.clone()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)
        self._restarts_SJ.copy_(state["restarts"])

    def extract(self, seed: int, clusters: int) -> ClusterHead:
        """The head of one seed and K as a separate network."""
        return self.bank.extract(seed, clusters)

    @torch.inference_mode()
    def qualities(self) -> list[HeadQuality]:
        """Quality of every head except the over-clustering ones."""
        loss_SJ, mean_SJK, information_SJ = self._survey()
        rows = []
        for j, k in enumerate(self.bank.clusters):
            for s, seed in enumerate(self.bank.seeds):
                mean_K = mean_SJK[s, j, :k]
                rows.append(
                    HeadQuality(
                        clusters=k,
                        seed=seed,
                        loss=float(loss_SJ[s, j]),
                        effective=float(effective_clusters(mean_K)),
                        smallest=float(smallest_share(mean_K)),
                        information=float(information_SJ[s, j]),
                        restarts=int(self._restarts_SJ[s, j]),
                        collapsed=bool(collapsed(mean_K, information_SJ[s, j], k)),
                    )
                )
        return rows

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

    def _pair(self, s: int, index: int) -> tuple[Tensor, Tensor]:
        """Embeddings (B, F) of two views of a batch for seed number `s`: of each patch, or of it and a neighbour."""
        patches = torch.from_numpy(self._batches[s][index])
        views = len(self._embeddings_VNF)
        draw = generator(self.bank.seeds[s], self.name, index)
        view = torch.randint(views, (len(patches),), generator=draw)
        other_view = (view + torch.randint(1, max(views, 2), (len(patches),), generator=draw)) % views
        neighbour = torch.randint(self._near_NM.shape[1], (len(patches),), generator=draw)
        alike = torch.rand(len(patches), generator=draw) < NEIGHBOUR_SHARE
        partners = torch.where(alike, self._near_NM[patches, neighbour], patches)
        return self._embeddings_VNF[view, patches], self._embeddings_VNF[other_view, partners]

    def _probabilities(self, embeddings_BF: Tensor) -> Tensor:
        p_SJBK: Tensor = self.bank(embeddings_BF.expand(len(self.bank.seeds), -1, -1))[0]
        return p_SJBK

    def _survey(self, chunk: int = 1024) -> tuple[Tensor, Tensor, Tensor]:
        """(loss (S, J), mean probabilities (S, J, K), information (S, J)) on at most 16 chunks, spread evenly."""
        views, count = self._embeddings_VNF.shape[:2]
        chunks = torch.split(torch.arange(count), chunk)
        chunks = chunks[:: -(-len(chunks) // 16)]
        losses, means, uncertain, total = [], [], [], sum(len(part) for part in chunks)
        for part in chunks:
            p_SJBK = self._probabilities(self._embeddings_VNF[0, part])
            q_SJBK = self._probabilities(self._embeddings_VNF[views - 1, part])
            share = len(part) / total
            losses.append(objective_loss(self.objective, p_SJBK, q_SJBK) * share)
            means.append(p_SJBK.mean(-2) * share)
            uncertain.append(entropy(p_SJBK).mean(-1) * share)
        mean_SJK = torch.stack(means).sum(0)
        return torch.stack(losses).sum(0), mean_SJK, entropy(mean_SJK) - torch.stack(uncertain).sum(0)

    @torch.no_grad()
    def _restart_collapsed(self) -> None:
        _, mean_SJK, _ = self._survey()
        effective_SJ = effective_clusters(mean_SJK)
        for s, seed in enumerate(self.bank.seeds):
            for j, k in enumerate(self.bank.clusters):
                if effective_SJ[s, j] < COLLAPSED_BELOW * k:
                    self._restarts_SJ[s, j] += 1
                    draw = generator(seed, "restart", k, int(self._restarts_SJ[s, j]))
                    self.bank.restart(s, j, draw)
                    self._adam.forget(self.bank.last_SHJK, (s, slice(None), j))
                    self._adam.forget(self.bank.bias_SJK, (s, j))
