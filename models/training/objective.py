"""Objective and Task: the losses of a training on volumes, and the known classes and sites of the volumes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...errors import SettingsError
from ..losses.metric_losses import DISTANCES, Distance

Array = npt.NDArray[Any]
ObjectiveKind = Literal["reconstruction", "prototypes", "triplet", "contrastive", "proxy"]
OBJECTIVE_KINDS: tuple[ObjectiveKind, ...] = ("reconstruction", "prototypes", "triplet", "contrastive", "proxy")


@dataclass(frozen=True, slots=True)
class Objective:
    """Losses of a training beside the reconstruction; the defaults are near the best values on held-out shapes."""

    kind: ObjectiveKind = "reconstruction"
    alpha: float = 0.1
    """Weight of the metric loss beside the mean squared error of values in [0, 1].

    Published: 1. On glands 0.1 was as good with less error, on some dozen brains much better. See docs/benchmarks.md.
    """
    temperature: float = 10.0
    """Divisor of distances: squared distances of 150 numbers are large and would saturate the softmax.

    For `contrastive` it divides cosines, usually by 0.1; `triplet` and `proxy` do not use it.
    """
    distance: Distance = "sq"
    """Distance from prototypes: squared, as published, or Euclidean ("l2"), as in the reference program."""
    prototypes: int = 8
    """Samples whose mean is the prototype of a class; 1 = as published."""
    entropy: float = 0.0
    """Weight of the entropy of unlabelled rows, relative to the metric loss; for prototypes only."""
    site: float = 0.0
    """Weight of the adversary that predicts the site from the embedding."""
    balance: float = 0.5
    """1 = classes are equally frequent in batches, 0 = as frequent as in the data.

    With 0, cases between two classes are drawn to the larger one.
    """
    dropout: float = 0.3
    """Share of the features that are dropped at random before embeddings are compared; the reconstruction uses all."""
    class_features: bool = False
    """The embedding's last numbers say how likely each class is: clusters then part where classes do.

    See `CAE3D.add_class_features`.
    """

    def __post_init__(self) -> None:
        if self.kind not in OBJECTIVE_KINDS or self.distance not in DISTANCES:
            raise SettingsError(
                f"no objective '{self.kind}' with distance '{self.distance}'. Use one of {', '.join(OBJECTIVE_KINDS)}, "
                f"and as distance one of {', '.join(DISTANCES)}."
            )
        if not (0 <= self.balance <= 1 and 0 <= self.dropout < 1):
            raise SettingsError(
                f"a balance of {self.balance:g} and a dropout of {self.dropout:g} are not valid shares: "
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
    """The objective of a training, and class and site of each volume."""

    objective: Objective = field(default_factory=Objective)
    labels: Array | None = None
    """Class of every volume, counted from 0; -1 = unknown. None = all unknown."""
    sites: Array | None = None
    """Site of every volume, counted from 0; -1 = unknown. None = one site."""

    def rows(self, count: int) -> tuple[Array, Array]:
        """Labels and sites of `count` volumes, int64 (count,). Raises SettingsError if they do not fit the objective."""
        labels, sites = (
            np.full(count, -1, np.int64) if given is None else np.asarray(given, np.int64)
            for given in (self.labels, self.sites)
        )
        if len(labels) != count or len(sites) != count:
            raise SettingsError(
                f"{len(labels)} labels and {len(sites)} sites for {count} volumes: rows would be mixed up. "
                "Give one label and one site per volume, -1 where it is unknown."
            )
        if self.objective.kind != "reconstruction" and len(np.unique(labels[labels >= 0])) < 2:
            raise SettingsError(
                f"the objective '{self.objective.kind}' needs at least 2 classes, but the labels of these {count} "
                f"volumes name {len(np.unique(labels[labels >= 0]))}. Give labels, or use 'reconstruction'."
            )
        if self.objective.site > 0 and len(np.unique(sites[sites >= 0])) < 2:
            raise SettingsError(
                f"the site adversary has weight {self.objective.site:g}, but these {count} volumes come from fewer than "
                "2 known sites. Give sites, or set the weight to 0."
            )
        return labels, sites
