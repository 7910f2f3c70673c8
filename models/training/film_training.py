"""FilmTraining: the phase that trains the head and some blocks of a classifier of films, and stops early.

```text
step: films of equally frequent classes -> views -> network -> cross-entropy (label smoothing) -> AdamW
every `check` steps: mean loss of the validation films -> the best weights are kept; after `patience` checks without a better
loss, the steps that are left do nothing
```
Blocks that are not trained keep their weights and the statistics of their norms. `finish()` loads the best weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...errors import SettingsError
from ..batches import Patches, Stratified
from ..networks.autoencoder import to_float
from ..networks.film_network import FilmNetwork
from ..replica import SINGLE, Computed, Replica
from ..seeds import derived_seed, generator
from ..views.films import FilmViews
from .classification import check_labels
from .film_inference import logits_of
from .optimiser import Adam
from .phases import check_finite

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class FilmPlan:
    """Sizes of a training of films, and when it stops."""

    steps: int
    batch: int = 32
    check: int = 20
    """Steps between two looks at the validation films."""
    patience: int = 6
    """Looks without a better validation loss after which the training stops; 0 never stops and keeps the last weights."""
    decay: float = 0.02
    """AdamW: each step takes this share of the learning rate off every weight."""
    smoothing: float = 0.05
    """Share of the target that is spread over all classes (label smoothing)."""
    views: FilmViews = field(default_factory=FilmViews)

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.check) < 1 or self.patience < 0 or not 0 <= self.smoothing < 1:
            raise SettingsError(
                f"a training of {self.steps} steps of {self.batch} films, checked every {self.check} steps with a patience "
                f"of {self.patience} and a label smoothing of {self.smoothing:g}, cannot be done: steps, films and checks are "
                "1 or more, patience 0 or more, smoothing from 0 to below 1."
            )


@dataclass(frozen=True, slots=True)
class LabelledFilms:
    """Films and their labels."""

    films: Patches
    """(n, 1, S, S) uint8, uint16, or float in [0, 1]."""
    labels: Array
    """Class of each film, int (n,), from 0."""

    def rows(self, index: Array) -> LabelledFilms:
        """The films of sorted rows, in memory."""
        return LabelledFilms(self.films[np.asarray(index)], np.asarray(self.labels)[index])


class FilmTraining:
    """Cross-entropy of views of films; `rates` name what is trained, the rest of the network is frozen.

    >>> from ..networks.mnist_cnn import MnistCNN
    >>> data = LabelledFilms(np.zeros((8, 1, 20, 20), np.uint8), np.arange(8) % 2)
    >>> phase = FilmTraining(MnistCNN(side=20), data, data, FilmPlan(steps=2, batch=4), rates={"head": 1e-3})
    >>> sorted(phase.step(0))
    ['accuracy', 'loss', 'validation']
    """

    def __init__(
        self,
        network: FilmNetwork,
        training: LabelledFilms,
        validation: LabelledFilms,
        plan: FilmPlan,
        *,
        rates: Mapping[str, float],
        seed: int = 0,
        name: str = "films",
        replica: Replica = SINGLE,
    ) -> None:
        """`rates`: "head" and names of blocks -> learning rate. `validation`: films that only early stopping looks at.

        Raises SettingsError for labels that do not fit, or names that the network does not have.
        """
        for films in (training, validation):
            check_labels(films.labels, len(films.films), network.classes)
        parts = {"head": network.head, **network.blocks()}
        if not rates or rates.keys() - parts.keys():
            raise SettingsError(f"{', '.join(rates) or 'nothing'} is to be trained of a network of {', '.join(parts)}.")
        self.name, self.network, self.steps = name, network, plan.steps
        self._plan, self._seed, self._replica = plan, seed, replica
        self._training, self._validation = training, validation
        self._labels = torch.from_numpy(np.asarray(training.labels, np.int64))
        size = replica.even(min(plan.batch, len(training.films)))
        self._batches = Stratified(np.asarray(training.labels), size, seed, name)
        self._device = next(network.parameters()).device
        self._trained = {part: parts[part] for part in parts if part in rates}
        self._frozen = {part: module for part, module in parts.items() if part not in rates}
        for part, module in parts.items():
            module.requires_grad_(part in rates)
        self._losses = replica.join(Computed(nn.ModuleList(self._trained.values()), self._compute))
        self._adam = Adam(
            {part: (module, rates[part]) for part, module in self._trained.items()}, plan.steps, decay=plan.decay
        )
        self._best = {key: tensor.detach().clone() for key, tensor in self._weights().items()}
        self._best_loss, self._last_loss, self._checks = math.inf, math.nan, 0

    @property
    def stopped(self) -> bool:
        """Whether patience is at an end: the steps that are left do nothing."""
        return bool(self._plan.patience) and self._checks >= self._plan.patience

    def step(self, index: int) -> dict[str, float]:
        """`loss` and `accuracy` of the batch, `validation`: the last validation loss, at first that of the start."""
        if self.stopped:
            return {"loss": self._best_loss, "accuracy": math.nan, "validation": self._last_loss}
        if index == 0:  # a start that no step improves is kept
            self._look()
        batch = self._batches[index]
        rows = self._replica.rows(len(batch))
        films_BCYX = to_float(self._training.films[batch[rows]]).to(self._device)
        view_BCYX = self._plan.views(films_BCYX, generator(self._seed, self.name, index), self._replica)
        self._train_mode()
        # dropout draws from torch's own generator, which is set for each step: a resumed training draws the same
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(self._seed, self.name, index, "dropout"))
            loss, accuracy = self._losses(view_BCYX, self._labels[batch[rows]].to(self._device))
            figures = self._replica.means(loss=loss, accuracy=accuracy)
            check_finite(self.name, index, figures["loss"])
            self._adam.step(loss, index)
        if (index + 1) % self._plan.check == 0 or index + 1 == self.steps:
            self._look()
        return {**figures, "validation": self._last_loss}

    def _compute(self, view_BCYX: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
        logits_BK = self.network(view_BCYX)
        loss = nn.functional.cross_entropy(logits_BK, labels_B, label_smoothing=self._plan.smoothing)
        return loss, (logits_BK.argmax(1) == labels_B).float().mean()

    def _train_mode(self) -> None:
        self.network.train()
        for module in self._frozen.values():
            module.eval()

    def _look(self) -> None:
        logits_NK = logits_of(self.network, self._validation.films)
        self._last_loss = balanced_loss(logits_NK, self._validation.labels)
        if self._last_loss < self._best_loss:
            self._best_loss, self._checks = self._last_loss, 0
            for key, tensor in self._weights().items():
                self._best[key].copy_(tensor)
        else:
            self._checks += 1

    def _weights(self) -> dict[str, Tensor]:
        return {
            f"{part}.{key}": tensor
            for part, module in self._trained.items()
            for key, tensor in module.state_dict().items()
        }

    def finish(self) -> FilmNetwork:
        """The network in evaluation mode, with the weights of the least validation loss (the last ones without patience)."""
        if self._plan.patience and math.isfinite(self._best_loss):
            with torch.no_grad():
                for key, tensor in self._weights().items():
                    tensor.copy_(self._best[key])
        return self.network.eval()

    def state(self) -> dict[str, Tensor]:
        frozen = {
            f"frozen.{part}.{key}": tensor.detach().clone().contiguous()
            for part, module in self._frozen.items()
            for key, tensor in module.state_dict().items()
        }
        best = {f"best.{key}": tensor.clone().contiguous() for key, tensor in self._best.items()}
        stopping = torch.tensor([self._best_loss, self._last_loss, self._checks], dtype=torch.float64)
        return {**self._adam.state(), **frozen, **best, "stopping": stopping}

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)
        for part, module in self._frozen.items():
            prefix = f"frozen.{part}."
            module.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        for key, tensor in self._best.items():
            tensor.copy_(state[f"best.{key}"])
        self._best_loss, self._last_loss = (float(value) for value in state["stopping"][:2])
        self._checks = int(state["stopping"][2])


def balanced_loss(logits_NK: Array, labels: Array) -> float:
    """Cross-entropy in nats, the mean over classes of the mean over the class's films.

    >>> round(balanced_loss(np.zeros((3, 2)), np.array([0, 0, 1])), 4)
    0.6931
    """
    from scipy.special import log_softmax

    losses = -log_softmax(np.asarray(logits_NK, np.float64), axis=1)[np.arange(len(labels)), labels]
    return float(np.mean([losses[labels == value].mean() for value in np.unique(labels)]))
