"""Embedding: the phase that teaches a network of volumes to describe them, and what of them matters if classes are known.

```text
E = mean squared error of the reconstruction + alpha · (metric loss of the labelled codes + site · adversary) [+ entropy]
```
Unlabelled volumes take part in the reconstruction, and in the entropy term where it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...errors import SettingsError
from ..batches import Patches, Stratified, in_order
from ..losses import metric_losses as losses
from ..losses.metric_losses import Distance
from ..networks.autoencoder import to_float
from ..networks.cae3d import CAE3D
from ..replica import SINGLE, Computed, Replica
from ..seeds import generator, initialise, uniform
from ..views.volumes import VolumeViews
from .optimiser import Adam
from .phases import check_finite

Array = npt.NDArray[Any]
Kind = Literal["reconstruction", "prototypes", "triplet", "contrastive", "proxy"]
KINDS: tuple[Kind, ...] = ("reconstruction", "prototypes", "triplet", "contrastive", "proxy")
RATE = 3e-3
"""Learning rate, ..."""
WARMUP = 60
"""... which these steps lead up to, a tenth of all at most."""
VIEWS = VolumeViews(unchanged=0.5)
"""Views of volumes, unless told otherwise."""
MOST_ROWS, MOST_CELLS = 2_000, 60_000_000
"""Volumes and views of them that a training begins as, at most, and all cells that components are of: 240 MB."""
BEGINNINGS = 4
"""Of these for each component, at least, where volumes are few ..."""
MOST_COPIES = 12
"""... but of each volume so many at most, itself among them."""
DECAY = 0.05
"""Of the weights, where classes are known. It came with dropout, mirrors and this rate; none was tried by itself."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What codes are trained for besides the reconstruction; the defaults are near what did best on held-out shapes."""

    kind: Kind = "reconstruction"
    alpha: float = 0.1
    """Weight of the metric loss beside the mean squared error of values in [0, 1].

    1 as published; on glands a tenth did as well for less error, on some dozen brains much better. See docs/benchmarks.md.
    """
    temperature: float = 10.0
    """Distances are divided by it: squared ones of 150 numbers are large, and saturate the softmax undivided.

    Of `contrastive` it divides cosines, and 0.1 is usual; `triplet` and `proxy` have none.
    """
    distance: Distance = "sq"
    """Of prototypes: squared, as published; or the plain Euclidean distance ("l2") of the reference program."""
    prototypes: int = 8
    """Samples of which a class's prototype is the mean; 1 = as published."""
    entropy: float = 0.0
    """Weight of the unlabelled rows' entropy, beside that of the metric loss; prototypes only."""
    site: float = 0.0
    """Weight of the adversary that guesses the site from the code."""
    balance: float = 0.5
    """1 = batches have all classes equally often, 0 = as often as they are; what lies between classes goes to the larger."""
    dropout: float = 0.3
    """Share of the features that a code is compared without, each time others; what is reconstructed has them all."""
    class_features: bool = False
    """The code's last numbers say how likely each class is: clusters then part where classes do.

    See `CAE3D.add_class_features`.
    """

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.distance not in losses.DISTANCES:
            raise SettingsError(
                f"no objective '{self.kind}' with distance '{self.distance}'. Use one of {', '.join(KINDS)}, "
                f"and as distance one of {', '.join(losses.DISTANCES)}."
            )
        if not (0 <= self.balance <= 1 and 0 <= self.dropout < 1):
            raise SettingsError(
                f"a balance of {self.balance:g} and a dropout of {self.dropout:g} are shares that cannot be: "
                "use 0 to 1 for the balance and 0 to under 1 for dropout."
            )
        if self.temperature <= 0 or self.prototypes < 1 or min(self.alpha, self.entropy, self.site) < 0:
            raise SettingsError(
                f"an objective of temperature {self.temperature:g}, {self.prototypes} prototypes and weights "
                f"{self.alpha:g}, {self.entropy:g}, {self.site:g} cannot be minimised: the temperature must be over 0, "
                "prototypes at least 1, weights 0 or more."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What is known of the volumes, row by row, and what to make of it."""

    objective: Objective = field(default_factory=Objective)
    labels: Array | None = None
    """Class of every volume, counted from 0; -1 = unknown. None = all unknown."""
    sites: Array | None = None
    """Site of every volume, counted from 0; -1 = unknown. None = one site."""

    def rows(self, count: int) -> tuple[Array, Array]:
        """Labels and sites of `count` volumes. Raises SettingsError where the objective cannot be met."""
        labels, sites = (
            np.full(count, -1, np.int64) if given is None else np.asarray(given, np.int64)
            for given in (self.labels, self.sites)
        )
        if len(labels) != count or len(sites) != count:
            raise SettingsError(
                f"{len(labels)} labels and {len(sites)} sites for {count} volumes: rows would be mixed up. "
                "Give one of each a volume, -1 where it is unknown."
            )
        if self.objective.kind != "reconstruction" and len(np.unique(labels[labels >= 0])) < 2:
            raise SettingsError(
                f"the objective '{self.objective.kind}' tells classes apart, but the labels of these {count} volumes "
                f"name {len(np.unique(labels[labels >= 0]))}: it needs 2 at least. Give labels, or use 'reconstruction'."
            )
        if self.objective.site > 0 and len(np.unique(sites[sites >= 0])) < 2:
            raise SettingsError(
                f"the site adversary has weight {self.objective.site:g}, but these {count} volumes come from fewer than "
                "2 known sites. Give sites, or set it to 0."
            )
        return labels, sites


class Heads(nn.Module):
    """What an objective learns beside the network and a run throws away: a guess of the site, proxies of the classes."""

    def __init__(self, objective: Objective, code: int, classes: int, sites: int, seed: int) -> None:
        super().__init__()
        source = generator(seed, "embedding heads")
        self.site = nn.Linear(code, sites) if objective.site > 0 else None
        initialise(self, source)
        self.proxies_KF = None
        if objective.kind == "proxy":
            self.proxies_KF = nn.Parameter(uniform((classes, code), -1.0, 1.0, source))


class Embedding:
    """Reconstruction and metric learning of volumes; Adam at 3e-3.

    >>> task = Task(Objective("prototypes"), labels=np.array([0, 1] * 8))
    >>> volumes = np.zeros((16, 1, 16, 16, 16), np.uint8)
    >>> phase = Embedding(CAE3D((16, 16, 16), widths=(8, 8), code=4), volumes, steps=2, task=task)
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
        share: Replica = SINGLE,
    ) -> None:
        """`volumes`: (n, 1, z, y, x) uint8 or uint16; `batch` is that of all shares together. Raises SettingsError."""
        self.network, self.steps, self._share, self._seed = network, steps, share, seed
        self._volumes, self._views = volumes, views or VIEWS
        task = task or Task()
        self.objective = task.objective
        labels, sites = task.rows(len(volumes))
        self._labels, self._sites = torch.from_numpy(labels), torch.from_numpy(sites)
        learns = self.objective.kind != "reconstruction"
        size = share.even(min(batch, len(volumes)))
        strata = labels if learns else np.full(len(volumes), -1)
        self._batches = Stratified(strata, size, seed, self.name, even=self.objective.balance)
        self._dropout = self.objective.dropout if learns and not network.maps else 0.0
        self._device = next(network.parameters()).device
        counts_K = torch.bincount(self._labels[self._labels >= 0]).float()
        self._weights_K = (counts_K**self.objective.balance).to(self._device)
        if learns and self.objective.class_features:
            network.add_class_features(len(counts_K))
        self._begin()
        told = network.code - network.class_features
        heads = Heads(self.objective, told, len(counts_K), int(sites.max()) + 1, seed).to(self._device)
        self._heads = heads
        trained: dict[str, tuple[nn.Module, float]] = {"network": (network, RATE)}
        both: nn.Module = network
        if list(heads.parameters()):
            trained["heads"] = (heads, 10 * RATE)
            both = nn.ModuleList([network, heads])
        self._losses = share.join(Computed(both, self._compute))
        self._adam = Adam(trained, steps, warmup=WARMUP, decay=DECAY if learns else 0.0)

    @torch.no_grad()
    def _begin(self) -> None:
        """The network begins at the mean of the volumes, or of as many as are enough, and a strided one with their components;
        with those of views, too, where volumes are few: they tell how a body lies, which some dozen bodies do not."""
        network = self.network
        if network.template.any():
            return  # it has learned before
        cells, wanted = network.components_FG.shape[1], BEGINNINGS * len(network.components_FG)
        room = min(MOST_CELLS // cells, MOST_ROWS) if cells else MOST_ROWS
        rows = np.unique(np.linspace(0, len(self._volumes) - 1, room).round().astype(np.int64))
        batches = [rows[some] for some in in_order(len(rows), 8)]
        total = torch.zeros((), device=self._device)
        for some in batches:
            total = total + to_float(self._volumes[some]).to(self._device).sum(0)
        network.template.copy_(total / len(rows))
        if network.maps:
            return
        copies = max(1, min(MOST_COPIES, -(-wanted // len(rows)), room // len(rows)))
        views, coarse = replace(self._views, unchanged=0.0), torch.empty(copies * len(rows), cells, device=self._device)
        at = 0
        for number, some in enumerate(batches):
            volumes_BCZYX = to_float(self._volumes[some]).to(self._device)
            for copy in range(copies):
                draw = generator(self._seed, self.name, "beginning", copy, number)
                seen = views(volumes_BCZYX, draw) if copy else volumes_BCZYX
                coarse[at : at + len(some)] = network.coarse(seen)
                at += len(some)
        network.begin_as(coarse)

    def step(self, index: int) -> dict[str, float]:
        draw, batch = generator(self._seed, self.name, index), self._batches[index]
        volumes_BCZYX = to_float(self._volumes[batch[self._share.rows(len(batch))]]).to(self._device)
        view_BCZYX = self._views(volumes_BCZYX, draw, self._share)
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
        figures = self._share.means(loss=loss, **terms)
        check_finite(self.name, index, figures["loss"])
        self._adam.step(loss, index)
        return figures

    def _compute(
        self, view_BCZYX: Tensor, classes_B: Tensor, sites_B: Tensor, draw: torch.Generator
    ) -> dict[str, Tensor]:
        features_BG = self.network.features(view_BCZYX)
        codes_BF = self.network.to_code(features_BG)
        again_BCZYX = self.network.decode(self.network.with_class_features(codes_BF))
        terms = {"reconstruction": nn.functional.mse_loss(again_BCZYX, view_BCZYX)}
        if self._dropout:
            shape = (len(features_BG) * self._share.count, features_BG.shape[1])
            kept_BG = self._share.part(torch.rand(shape, generator=draw) >= self._dropout).to(features_BG.device)
            codes_BF = self.network.to_code(features_BG * kept_BG / (1.0 - self._dropout))
        codes_BF = self._share.gather(codes_BF)
        if self.network.to_class_features is not None:
            codes_BF = codes_BF[:, : -self.network.class_features]
            terms["class_features"] = self._class_features(self.network.to_class_features, codes_BF, classes_B)
        terms |= self._metric(codes_BF, classes_B, draw)
        if self._heads.site is not None:
            terms["site"] = losses.site_loss(self._heads.site, codes_BF, sites_B)
        return terms

    def _class_features(self, to_class_features: nn.Module, codes_BF: Tensor, classes_B: Tensor) -> Tensor:
        """Cross-entropy of the guess, weighed as if classes were as frequent in batches as they are."""
        known_B = classes_B >= 0
        if not bool(known_B.any()):
            return 0.0 * torch.sum(to_class_features(codes_BF.detach()))
        logits_BK = to_class_features(codes_BF[known_B].detach())
        return nn.functional.cross_entropy(logits_BK, classes_B[known_B], self._weights_K)

    def _metric(self, codes_BF: Tensor, classes_B: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
        wanted = self.objective
        if wanted.kind == "reconstruction":
            return {}
        if wanted.kind == "triplet":
            return {"metric": losses.triplet(codes_BF, classes_B)}
        if wanted.kind == "contrastive":
            return {"metric": losses.contrastive(codes_BF, classes_B, wanted.temperature)}
        if self._heads.proxies_KF is not None:
            return {"metric": losses.proxy_anchor(codes_BF, classes_B, self._heads.proxies_KF)}
        weights_KB, drawn_B = losses.draw_prototypes(classes_B, wanted.prototypes, draw)
        present_K = weights_KB.sum(1) > 0
        prototypes_KF = (weights_KB @ codes_BF)[present_K]
        numbers_K = present_K.cumsum(0) - 1
        # a prototype tells nothing about itself, and is compared with no other class twice
        own_B = torch.where((classes_B >= 0) & ~drawn_B, numbers_K[classes_B.clamp_min(0)], -1)
        how: dict[str, Any] = {"temperature": wanted.temperature, "distance": wanted.distance}
        terms = {"metric": losses.prototype_loss(codes_BF, own_B, prototypes_KF, **how)}
        if wanted.entropy > 0:
            unknown_B = torch.where(classes_B < 0, -1, 0)
            terms["entropy"] = losses.entropy_unlabelled(codes_BF, unknown_B, prototypes_KF, **how)
        return terms

    def state(self) -> dict[str, Tensor]:
        return self._adam.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)
