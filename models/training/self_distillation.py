"""SelfDistillation: the phase that trains heads by TEMI on cached embeddings, a student and its slowly moving teacher.

```text
patch     -> student p   teacher t      L = -weight · ln sum (p t')^beta / mean t     weight = <t, t'>, mean over heads
neighbour -> student p'  teacher t'     and the same with patch and neighbour exchanged
```
Adaloglou, Michels, Kalisch, Kollmann, BMVC 2023. Each seed has several heads, which share a trunk; the one of the lowest loss
is kept. Logits are not bounded here, so the paper's temperature is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..losses.neighbour_losses import agreement_weight, temi
from ..neighbours.knn import nearest_patches
from ..networks.cluster_heads import ClusterHead, HeadBank
from ..seeds import generator
from .head_quality import HeadQuality, Survey, survey
from .optimiser import Adam
from .pairs import PairSampler
from .phases import check_finite

Array = npt.NDArray[Any]
HEADS_PER_SEED = 8
NEIGHBOURS = 50
TEACHER_MOMENTUM = 0.9
"""Share of the teacher's weights that a step keeps. The paper's 0.996 is for many thousand steps: after 300, planted clusters
were still mixed at 0.99, but not at 0.98 and 0.9."""
MEAN_MOMENTUM = 0.9
"""Share of the teacher's mean probabilities that a step keeps."""


class SelfDistillation:
    """Trains heads of one K by TEMI; Adam at 1e-3. Seeds are independent of each other."""

    name = "heads"

    def __init__(
        self,
        embeddings_VNF: Tensor,
        clusters: int,
        seeds: Sequence[int] = (0, 1, 2),
        steps: int = 600,
        batch: int = 512,
    ) -> None:
        self.steps, self._clusters, self._embeddings_VNF = steps, clusters, embeddings_VNF
        self.student = HeadBank(embeddings_VNF.shape[-1], (clusters,) * HEADS_PER_SEED, seeds, scale=1.0)
        self.student.standardise(embeddings_VNF.flatten(0, 1))
        for s, seed in enumerate(seeds):
            for head in range(HEADS_PER_SEED):
                self.student.restart(s, head, generator(seed, "temi", head))
        self.teacher = deepcopy(self.student).requires_grad_(False)
        self._mean_SHK = torch.full((len(seeds), HEADS_PER_SEED, clusters), 1.0 / clusters)
        points_NF = (embeddings_VNF[0] - self.student.mean_F) / self.student.scale_F
        self._pairs = PairSampler(embeddings_VNF, nearest_patches(points_NF, NEIGHBOURS), 1.0, seeds, self.name, batch)
        self._adam = Adam({"student": (self.student, 1e-3)}, steps)

    def step(self, index: int) -> dict[str, float]:
        first_SBF, second_SBF = self._pairs[index]
        p_SHBK, p_near_SHBK = self.student(first_SBF)[0], self.student(second_SBF)[0]
        with torch.no_grad():
            t_SHBK, t_near_SHBK = self.teacher(first_SBF)[0], self.teacher(second_SBF)[0]
            weight_SHB = agreement_weight(t_SHBK, t_near_SHBK).unsqueeze(1)
            self._mean_SHK.lerp_((t_SHBK.mean(-2) + t_near_SHBK.mean(-2)) / 2, 1.0 - MEAN_MOMENTUM)
        loss_SH = temi(p_SHBK, t_near_SHBK, self._mean_SHK, weight_SHB) + temi(
            p_near_SHBK, t_SHBK, self._mean_SHK, weight_SHB
        )
        loss = loss_SH.mean(1).sum() / 2
        check_finite(self.name, index, value := float(loss.detach()))
        self._adam.step(loss, index)
        self._follow()
        return {"loss": value / len(self.student.seeds)}

    def state(self) -> dict[str, Tensor]:
        teacher = {f"teacher.{name}": tensor.clone() for name, tensor in self.teacher.state_dict().items()}
        return {**self._adam.state(), **teacher, "mean": self._mean_SHK.clone()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)
        own = {name.removeprefix("teacher."): t for name, t in state.items() if name.startswith("teacher.")}
        self.teacher.load_state_dict(own)
        self._mean_SHK.copy_(state["mean"])

    def extract(self, seed: int) -> ClusterHead:
        """The best head of one seed as a separate network."""
        s = self.student.seeds.index(seed)
        return self.teacher.head(s, self._best(self._survey())[s])

    @torch.inference_mode()
    def qualities(self) -> list[HeadQuality]:
        """Quality of the best head of every seed."""
        found = self._survey()
        best = self._best(found)
        return [found.quality((s, best[s]), self._clusters, seed) for s, seed in enumerate(self.student.seeds)]

    @torch.inference_mode()
    def labels(self) -> dict[tuple[int, int], Array]:
        """(K, seed) -> cluster of each unchanged patch (view 0), int64 (N,)."""
        parts = [self._probabilities(part).argmax(-1) for part in torch.split(self._embeddings_VNF[0], 1024)]
        labels_SHN, best = torch.cat(parts, -1).numpy(), self._best(self._survey())
        return {
            (self._clusters, seed): np.ascontiguousarray(labels_SHN[s, best[s]])
            for s, seed in enumerate(self.student.seeds)
        }

    def _probabilities(self, embeddings_BF: Tensor) -> Tensor:
        p_SHBK: Tensor = self.teacher(embeddings_BF.expand(len(self.teacher.seeds), -1, -1))[0]
        return p_SHBK

    @torch.inference_mode()
    def _survey(self) -> Survey:
        return survey(self._embeddings_VNF, self._probabilities, lambda p, q: temi(p, q, self._mean_SHK))

    def _best(self, found: Survey) -> list[int]:
        """Number of the head of the lowest loss, for every seed."""
        return [int(head) for head in found.loss.argmin(1)]

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the teacher a little towards the student."""
        pairs = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
        for slow, fast in pairs:
            slow.lerp_(fast, 1.0 - TEACHER_MOMENTUM)
