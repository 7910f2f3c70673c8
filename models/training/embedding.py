"""Embedding: the phase that trains a network of volumes by reconstruction and, if classes are known, metric learning.

```text
E = mean squared error of the reconstruction + alpha · (metric loss of labelled embeddings + entropy term) + site · adversary
```
Unlabelled volumes take part in the reconstruction and, if it has a weight, in the entropy term.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..batches import Patches, Stratified, in_order
from ..losses import metric_losses as losses
from ..networks.autoencoder import to_float
from ..networks.cae3d import CAE3D
from ..replica import SINGLE, Computed, Replica
from ..seeds import generator, initialise, uniform
from ..views.volumes import VolumeViews
from .objective import Objective, Task
from .optimiser import Adam
from .phases import check_finite

Array = npt.NDArray[Any]
EMBEDDING_RATE = 3e-3
"""Learning rate after the warm-up."""
WARMUP_STEPS = 60
"""Steps of the warm-up, at most a tenth of all steps."""
DEFAULT_VIEWS = VolumeViews(unchanged=0.5)
"""Default views of volumes."""
MAX_START_ROWS, MAX_START_CELLS = 2_000, 60_000_000
"""Limits of the rows from which initial components are computed: rows (volumes and views), and cells of all rows, 240 MB."""
ROWS_PER_COMPONENT = 4
"""Rows per component, at least: with few volumes views are added ..."""
MAX_COPIES = 12
"""... up to this many rows per volume, itself included."""
WEIGHT_DECAY = 0.05
"""Weight decay if classes are known. It was introduced with dropout, mirroring and this rate; none was tested alone."""


class AuxiliaryHeads(nn.Module):
    """Parameters that an objective trains beside the network and that are not kept: site adversary, proxies of classes."""

    def __init__(self, objective: Objective, embedding_size: int, classes: int, sites: int, seed: int) -> None:
        super().__init__()
        source = generator(seed, "embedding heads")
        self.site = nn.Linear(embedding_size, sites) if objective.site > 0 else None
        initialise(self, source)
        self.proxies_KF = None
        if objective.kind == "proxy":
            self.proxies_KF = nn.Parameter(uniform((classes, embedding_size), -1.0, 1.0, source))


class Embedding:
    """Reconstruction and metric learning of volumes; Adam at 3e-3.

    >>> task = Task(Objective("prototypes"), labels=np.array([0, 1] * 8))
    >>> volumes = np.zeros((16, 1, 16, 16, 16), np.uint8)
    >>> phase = Embedding(CAE3D((16, 16, 16), widths=(8, 8), embedding_size=4), volumes, steps=2, task=task)
    >>> sorted(phase.step(0))
    ['loss', 'metric', 'reconstruction']
    """

    name = "embedding"

    def __init__(
        self,
        network: CAE3D,
        volumes: Patches,
        steps: int,
        batch: int = 32,
        *,
        task: Task | None = None,
        seed: int = 0,
        views: VolumeViews | None = None,
        replica: Replica = SINGLE,
    ) -> None:
        """`volumes`: (n, 1, z, y, x) uint8 or uint16; `batch`: volumes of all replicas together. Raises SettingsError."""
        self.network, self.steps, self._replica, self._seed = network, steps, replica, seed
        self._volumes, self._views = volumes, views or DEFAULT_VIEWS
        task = task or Task()
        self.objective = task.objective
        labels, sites = task.rows(len(volumes))
        self._labels, self._sites = torch.from_numpy(labels), torch.from_numpy(sites)
        learns = self.objective.kind != "reconstruction"
        size = replica.even(min(batch, len(volumes)))
        strata = labels if learns else np.full(len(volumes), -1)
        self._batches = Stratified(strata, size, seed, self.name, even=self.objective.balance)
        self._dropout = self.objective.dropout if learns and not network.maps else 0.0
        self._device = next(network.parameters()).device
        counts_K = torch.bincount(self._labels[self._labels >= 0]).float()
        self._weights_K = (counts_K**self.objective.balance).to(self._device)
        if learns and self.objective.class_features:
            network.add_class_features(len(counts_K))
        self._begin()
        compared_size = network.embedding_size - network.class_features
        heads = AuxiliaryHeads(self.objective, compared_size, len(counts_K), int(sites.max()) + 1, seed).to(
            self._device
        )
        self._heads = heads
        modules: dict[str, tuple[nn.Module, float]] = {"network": (network, EMBEDDING_RATE)}
        container: nn.Module = network
        if list(heads.parameters()):
            modules["heads"] = (heads, 10 * EMBEDDING_RATE)
            container = nn.ModuleList([network, heads])
        self._losses = replica.join(Computed(container, self._compute))
        self._adam = Adam(modules, steps, warmup=WARMUP_STEPS, decay=WEIGHT_DECAY if learns else 0.0)

    @torch.no_grad()
    def _begin(self) -> None:
        """Start the network at the mean of up to `MAX_START_ROWS` volumes, and a strided one at their principal components.

        With few volumes their views are added: they show positions of the body that some dozen volumes do not.
        """
        network = self.network
        if network.template.any():
            return  # it is trained already
        cells, row_target = network.components_FG.shape[1], ROWS_PER_COMPONENT * len(network.components_FG)
        room = min(MAX_START_CELLS // cells, MAX_START_ROWS) if cells else MAX_START_ROWS
        rows = np.unique(np.linspace(0, len(self._volumes) - 1, room).round().astype(np.int64))
        batches = [rows[index] for index in in_order(len(rows), 8)]
        total = torch.zeros((), device=self._device)
        for index in batches:
            total = total + to_float(self._volumes[index]).to(self._device).sum(0)
        network.template.copy_(total / len(rows))
        if network.maps:
            return
        copies = max(1, min(MAX_COPIES, -(-row_target // len(rows)), room // len(rows)))
        views, coarse = replace(self._views, unchanged=0.0), torch.empty(copies * len(rows), cells, device=self._device)
        at = 0
        for number, index in enumerate(batches):
            volumes_BCZYX = to_float(self._volumes[index]).to(self._device)
            for copy in range(copies):
                draw = generator(self._seed, self.name, "beginning", copy, number)
                view_BCZYX = views(volumes_BCZYX, draw) if copy else volumes_BCZYX
                coarse[at : at + len(index)] = network.coarse(view_BCZYX)
                at += len(index)
        network.begin_as(coarse)

    def step(self, index: int) -> dict[str, float]:
        draw, batch = generator(self._seed, self.name, index), self._batches[index]
        volumes_BCZYX = to_float(self._volumes[batch[self._replica.rows(len(batch))]]).to(self._device)
        view_BCZYX = self._views(volumes_BCZYX, draw, self._replica)
        classes_B, sites_B = self._labels[batch].to(self._device), self._sites[batch].to(self._device)
        terms: dict[str, Tensor] = self._losses(view_BCZYX, classes_B, sites_B, draw)
        weights = {
            "reconstruction": 1.0,
            "class_features": 1.0,
            "metric": self.objective.alpha,
            "site": self.objective.site,
        }
        weights["entropy"] = self.objective.alpha * self.objective.entropy
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        figures = self._replica.means(loss=loss, **terms)
        check_finite(self.name, index, figures["loss"])
        self._adam.step(loss, index)
        return figures

    def _compute(
        self, view_BCZYX: Tensor, classes_B: Tensor, sites_B: Tensor, draw: torch.Generator
    ) -> dict[str, Tensor]:
        features_BG = self.network.features(view_BCZYX)
        embeddings_BF = self.network.to_code(features_BG)
        again_BCZYX = self.network.decode(self.network.with_class_features(embeddings_BF))
        terms = {"reconstruction": nn.functional.mse_loss(again_BCZYX, view_BCZYX)}
        if self._dropout:
            shape = (len(features_BG) * self._replica.count, features_BG.shape[1])
            kept_BG = self._replica.part(torch.rand(shape, generator=draw) >= self._dropout).to(features_BG.device)
            embeddings_BF = self.network.to_code(features_BG * kept_BG / (1.0 - self._dropout))
        embeddings_BF = self._replica.gather(embeddings_BF)
        if self.network.to_class_features is not None:
            embeddings_BF = embeddings_BF[:, : -self.network.class_features]
            terms["class_features"] = self._class_features(self.network.to_class_features, embeddings_BF, classes_B)
        terms |= self._metric(embeddings_BF, classes_B, draw)
        if self._heads.site is not None:
            terms["site"] = losses.site_loss(self._heads.site, embeddings_BF, sites_B)
        return terms

    def _class_features(self, to_class_features: nn.Module, embeddings_BF: Tensor, classes_B: Tensor) -> Tensor:
        """Cross-entropy of the predicted classes, weighted to the frequency of classes in the data."""
        known_B = classes_B >= 0
        if not bool(known_B.any()):
            return 0.0 * torch.sum(to_class_features(embeddings_BF.detach()))
        logits_BK = to_class_features(embeddings_BF[known_B].detach())
        return nn.functional.cross_entropy(logits_BK, classes_B[known_B], self._weights_K)

    def _metric(self, embeddings_BF: Tensor, classes_B: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
        objective = self.objective
        if objective.kind == "reconstruction":
            return {}
        if objective.kind == "triplet":
            return {"metric": losses.triplet(embeddings_BF, classes_B)}
        if objective.kind == "contrastive":
            return {"metric": losses.contrastive(embeddings_BF, classes_B, objective.temperature)}
        if self._heads.proxies_KF is not None:
            return {"metric": losses.proxy_anchor(embeddings_BF, classes_B, self._heads.proxies_KF)}
        weights_KB, drawn_B = losses.draw_prototypes(classes_B, objective.prototypes, draw)
        present_K = weights_KB.sum(1) > 0
        prototypes_KF = (weights_KB @ embeddings_BF)[present_K]
        numbers_K = present_K.cumsum(0) - 1
        # a row that is part of its prototype is not compared with it
        own_B = torch.where((classes_B >= 0) & ~drawn_B, numbers_K[classes_B.clamp_min(0)], -1)
        distances: dict[str, Any] = {"temperature": objective.temperature, "distance": objective.distance}
        terms = {"metric": losses.prototype_loss(embeddings_BF, own_B, prototypes_KF, **distances)}
        if objective.entropy > 0:
            unknown_B = torch.where(classes_B < 0, -1, 0)
            terms["entropy"] = losses.entropy_unlabelled(embeddings_BF, unknown_B, prototypes_KF, **distances)
        return terms

    def state(self) -> dict[str, Tensor]:
        return self._adam.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)
