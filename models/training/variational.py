"""Variational: the phase that trains a variational autoencoder on films: the most evidence lower bound (ELBO), one draw a film.

ELBO(x) = E_q[log p(x | z)] - KL(q(z | x) ‖ N(0, 1)); Kingma and Welling, ICLR 2014, eq. 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import SettingsError
from ..batches import Patches, Shuffled, in_order
from ..losses.likelihoods import gaussian_divergence
from ..networks.autoencoder import to_float
from ..networks.vae import Vae
from ..replica import SINGLE, Computed, Replica
from ..seeds import generator
from .optimiser import Adam
from .phases import check_finite
from .rmsprop import RMSProp

MAX_TEMPLATE_FILMS = 2000
"""Films, evenly spread, whose mean the decoder of a convolutional network starts from."""
LOWEST_GREY = 0.01
"""The mean film is kept this far from 0 and 1: logits of 0 and 1 are infinite."""
OPTIMISERS = ("adam", "rmsprop")


@dataclass(frozen=True, slots=True)
class VariationalPlan:
    """Sizes of a training."""

    steps: int
    batch: int = 64
    """Films of a step, of all replicas together."""
    rate: float = 2e-3
    """Learning rate."""
    optimiser: str = "adam"
    """adam (warm-up, cosine) or rmsprop (constant)."""
    divergence: float = 1.0
    """Weight of the KL term; 1 for the bound, more for beta-VAE (Higgins et al., ICLR 2017)."""

    def __post_init__(self) -> None:
        if (
            self.steps < 1
            or self.batch < 1
            or self.rate <= 0
            or self.divergence < 0
            or self.optimiser not in OPTIMISERS
        ):
            raise SettingsError(
                f"{self.steps} steps of {self.batch} films at the rate {self.rate:g} by '{self.optimiser}' with the KL term "
                f"times {self.divergence:g} cannot be done: steps, films and rate are over 0, and the optimiser is one of "
                f"{', '.join(OPTIMISERS)}."
            )

    def of_epochs(self, films: int, epochs: int) -> VariationalPlan:
        """The same with as many steps as `epochs` passes over so many films have.

        >>> VariationalPlan(1, batch=100).of_epochs(films=350, epochs=50).steps
        150
        """
        return replace(self, steps=max(1, films // min(self.batch, films)) * epochs)


KUROTAKI2017 = VariationalPlan(steps=1, batch=100, rate=1e-3, optimiser="rmsprop")
"""Kurotaki et al. 2017, with `of_epochs(films, 50)`."""
KUROTAKI2017_EPOCHS = 50


class Variational:
    """Maximises the mean ELBO; figures are `loss` (minus ELBO, nats a film), `distortion` (minus log p) and `divergence`.

    >>> import numpy as np
    >>> films = np.zeros((8, 1, 20, 20), np.uint8)
    >>> sorted(Variational(Vae(20, latent=2, widths=(8, 8)), films, VariationalPlan(steps=2, batch=4)).step(0))
    ['distortion', 'divergence', 'loss']
    """

    name = "variational"

    def __init__(
        self, vae: Vae, films: Patches, plan: VariationalPlan, *, seed: int = 0, replica: Replica = SINGLE
    ) -> None:
        """`films`: (n, C, S, S) uint8, uint16 or float in [0, 1], of the network's channels and side. Raises SettingsError."""
        self.vae, self.steps, self._plan, self._films = vae, plan.steps, plan, films
        self._seed, self._replica = seed, replica
        self._batches = Shuffled(len(films), replica.even(min(plan.batch, len(films))), seed, self.name)
        self._device = next(vae.parameters()).device
        check_shape(vae, films)
        self._begin()
        self._losses = replica.join(Computed(vae, self._compute))
        modules = {"vae": vae}
        self._optimiser: Adam | RMSProp = (
            RMSProp(modules, plan.rate)
            if plan.optimiser == "rmsprop"
            else Adam({name: (module, plan.rate) for name, module in modules.items()}, plan.steps)
        )

    @torch.no_grad()
    def _begin(self) -> None:
        """Start the decoder of a new convolutional network at the mean film."""
        if self.vae.hidden or self.vae.template.any():
            return
        every = -(-len(self._films) // MAX_TEMPLATE_FILMS)
        count, total = 0, torch.zeros_like(self.vae.template)
        for index in in_order(-(-len(self._films) // every), 100):
            total += to_float(self._films[index * every]).to(self._device).sum(0)
            count += len(index)
        self.vae.template.copy_((total / count).clamp(LOWEST_GREY, 1 - LOWEST_GREY).logit())

    def step(self, index: int) -> dict[str, float]:
        draw, batch = generator(self._seed, self.name, index), self._batches[index]
        noise_BF = torch.randn(len(batch), self.vae.latent, generator=draw)
        rows = self._replica.rows(len(batch))
        films_BCYX = to_float(self._films[batch[rows]]).to(self._device)
        distortion, divergence = self._losses(films_BCYX, noise_BF[rows].to(self._device))
        loss = distortion + self._plan.divergence * divergence
        figures = self._replica.means(loss=loss, distortion=distortion, divergence=divergence)
        check_finite(self.name, index, figures["loss"])
        self._optimiser.step(loss, index)
        return figures

    def _compute(self, films_BCYX: Tensor, noise_BF: Tensor) -> tuple[Tensor, Tensor]:
        log_p_BCYX, mean_BF, log_variance_BF = self.vae(films_BCYX, noise_BF)
        return -log_p_BCYX.flatten(1).sum(1).mean(), gaussian_divergence(mean_BF, log_variance_BF).mean()

    def state(self) -> dict[str, Tensor]:
        return self._optimiser.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._optimiser.load(state)


def check_shape(vae: Vae, films: Any) -> None:
    """Raises SettingsError for films of another side or other channels than the network's."""
    shape = tuple(films[slice(0, 1)].shape[1:]) if len(films) else ()
    if shape != (vae.channels, vae.side, vae.side):
        raise SettingsError(
            f"films of shape {shape} do not fit a network of {vae.channels} channels and {vae.side} pixels a side. Prepare "
            "them at the side that the network was trained at."
        )
