"""HeadSweep: the phase that trains the heads of every K and seed together, on cached codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .batches import Shuffled
from .clusterer import COLLAPSED_BELOW, effective_clusters, smallest_share
from .heads import ClusterHead, HeadBank
from .losses import iic, imsat
from .optimiser import Adam
from .phases import finite
from .seeds import generator

# V views, N patches, F features of a code, S seeds, J heads of a seed, B batch, K clusters

Array = npt.NDArray[Any]
Objective = Literal["iic", "imsat"]
OBJECTIVES: tuple[Objective, ...] = ("iic", "imsat")
CHECKS = (0.25, 0.5)
"""After these shares of the steps, heads that have collapsed are started again."""


def objective_loss(objective: Objective, p_BK: Tensor, q_BK: Tensor) -> Tensor:
    """The loss of two views' probabilities, over any leading axes; the same for sweep and fine-tuning."""
    return iic(p_BK, q_BK) if objective == "iic" else imsat(p_BK, q_BK)


@dataclass(frozen=True, slots=True)
class HeadQuality:
    """How the head of one K and seed ended."""

    clusters: int
    seed: int
    loss: float
    """On all patches, between view 0 and the others; lower is better, comparable within one K only."""
    effective: float
    """exp(H) of the mean probabilities: K at best."""
    smallest: float
    """Mean probability of the least used cluster."""
    restarts: int
    collapsed: bool
    """True if it stayed under half of K effective clusters after all restarts."""


class HeadSweep:
    """All heads at once by IIC or IMSAT; Adam at 1e-3. The seeds are independent of each other."""

    name = "heads"

    def __init__(
        self,
        codes_VNF: Tensor,
        clusters: Sequence[int],
        seeds: Sequence[int] = (0, 1, 2, 3, 4),
        objective: Objective = "iic",
        steps: int = 600,
        batch: int = 512,
    ) -> None:
        self.objective, self.steps = objective, steps
        self.bank = HeadBank(codes_VNF.shape[-1], clusters, seeds)
        self.bank.standardise(codes_VNF.flatten(0, 1))
        self._codes_VNF = codes_VNF
        self._batches = [Shuffled(codes_VNF.shape[1], batch, seed, self.name) for seed in seeds]
        self._adam = Adam({"bank": (self.bank, 1e-3)}, steps)
        self._restarts_SJ = torch.zeros(len(seeds), len(self.bank.clusters), dtype=torch.int64)

    def step(self, index: int) -> dict[str, float]:
        if index in {int(self.steps * share) for share in CHECKS}:
            self._restart_collapsed()
        pairs = [self._pair(s, index) for s in range(len(self._batches))]
        p_SJBK, p_over_SBK = self.bank(torch.stack([first for first, _ in pairs]))
        q_SJBK, q_over_SBK = self.bank(torch.stack([second for _, second in pairs]))
        loss = objective_loss(self.objective, p_SJBK, q_SJBK).mean(1).sum()
        loss = loss + objective_loss(self.objective, p_over_SBK, q_over_SBK).sum()
        value = finite(self.name, index, loss) / len(self._batches)
        self._adam.step(loss, index)
        return {"loss": value}

    def state(self) -> dict[str, Tensor]:
        return {**self._adam.state(), "restarts": self._restarts_SJ.clone()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)
        self._restarts_SJ.copy_(state["restarts"])

    def extract(self, seed: int, clusters: int) -> ClusterHead:
        """The head of one seed and K as a network of its own."""
        return self.bank.extract(seed, clusters)

    @torch.inference_mode()
    def qualities(self) -> list[HeadQuality]:
        """How every head but the over-clustering ones ended."""
        loss_SJ, mean_SJK = self._survey()
        rows = []
        for j, k in enumerate(self.bank.clusters):
            for s, seed in enumerate(self.bank.seeds):
                mean_K = mean_SJK[s, j, :k]
                effective = float(effective_clusters(mean_K))
                rows.append(
                    HeadQuality(
                        clusters=k,
                        seed=seed,
                        loss=float(loss_SJ[s, j]),
                        effective=effective,
                        smallest=float(smallest_share(mean_K)),
                        restarts=int(self._restarts_SJ[s, j]),
                        collapsed=effective < COLLAPSED_BELOW * k,
                    )
                )
        return rows

    @torch.inference_mode()
    def labels(self) -> dict[tuple[int, int], Array]:
        """(K, seed) -> cluster of every patch as it is (view 0), int64 (N,)."""
        parts = [self._probabilities(part).argmax(-1) for part in torch.split(self._codes_VNF[0], 1024)]
        labels_SJN = torch.cat(parts, -1).numpy()
        return {
            (k, seed): np.ascontiguousarray(labels_SJN[s, j])
            for j, k in enumerate(self.bank.clusters)
            for s, seed in enumerate(self.bank.seeds)
        }

    def _pair(self, s: int, index: int) -> tuple[Tensor, Tensor]:
        """Codes (B, F) of two different views of a batch for seed number `s`."""
        patches = torch.from_numpy(self._batches[s][index])
        views = len(self._codes_VNF)
        draw = generator(self.bank.seeds[s], self.name, index)
        first = torch.randint(views, (len(patches),), generator=draw)
        other = (first + torch.randint(1, max(views, 2), (len(patches),), generator=draw)) % views
        return self._codes_VNF[first, patches], self._codes_VNF[other, patches]

    def _probabilities(self, codes_BF: Tensor) -> Tensor:
        p_SJBK: Tensor = self.bank(codes_BF.expand(len(self.bank.seeds), -1, -1))[0]
        return p_SJBK

    def _survey(self, chunk: int = 1024) -> tuple[Tensor, Tensor]:
        """Loss (S, J) and mean probabilities (S, J, K) over at most 16 chunks of patches, spread evenly."""
        views, count = self._codes_VNF.shape[:2]
        chunks = torch.split(torch.arange(count), chunk)
        chunks = chunks[:: -(-len(chunks) // 16)]
        losses, means, total = [], [], sum(len(part) for part in chunks)
        for part in chunks:
            p_SJBK = self._probabilities(self._codes_VNF[0, part])
            q_SJBK = self._probabilities(self._codes_VNF[views - 1, part])
            share = len(part) / total
            losses.append(objective_loss(self.objective, p_SJBK, q_SJBK) * share)
            means.append(p_SJBK.mean(-2) * share)
        return torch.stack(losses).sum(0), torch.stack(means).sum(0)

    @torch.no_grad()
    def _restart_collapsed(self) -> None:
        _, mean_SJK = self._survey()
        effective_SJ = effective_clusters(mean_SJK)
        for s, seed in enumerate(self.bank.seeds):
            for j, k in enumerate(self.bank.clusters):
                if effective_SJ[s, j] < COLLAPSED_BELOW * k:
                    self._restarts_SJ[s, j] += 1
                    draw = generator(seed, "restart", k, int(self._restarts_SJ[s, j]))
                    self.bank.restart(s, j, draw)
                    self._adam.forget(self.bank.last_SHJK, (s, slice(None), j))
                    self._adam.forget(self.bank.bias_SJK, (s, j))
