"""regret: how much better the bound of a film becomes when its own posterior is optimised; high for unfamiliar films.

Likelihood regret of Xiao, Yan and Amit, NeurIPS 2020, eq. 5, over the mean and log variance that the encoder gives of the film
(their variant without the encoder's weights): optimised ELBO - the encoder's ELBO. What pixels cost in any case cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..batches import Patches
from ..losses.likelihoods import gaussian_divergence
from ..networks.vae import Vae
from ..training.variational import check_shape
from .evidence import DRAWS, Draws, padded_batches

Array = npt.NDArray[Any]
BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Adam's moments and what it adds to the root: Kingma and Ba, ICLR 2015."""


@dataclass(frozen=True, slots=True)
class Search:
    """How a posterior is optimised, by Adam."""

    steps: int = 60
    rate: float = 0.03
    """Learning rate of mean and log variance."""


SEARCH = Search()


def likelihood_regret(
    vae: Vae, films: Patches, keys: Sequence[str], draws: Draws = DRAWS, search: Search = SEARCH
) -> Array:
    """Likelihood regret of each film (n,), nats, float64; 0 where no step improved the bound.

    Both bounds are means over the film's same `draws.samples` draws; a step of the search uses one fresh draw. Raises
    SettingsError as `evidence` does.
    """
    check_shape(vae, films)
    vae.eval()
    device = next(vae.parameters()).device
    regrets: list[Array] = []
    for rows, films_BCYX, names in padded_batches(films, keys, draws, device):
        noise_BLF = draws.noise(names, vae.latent).to(device)
        fresh = Draws(search.steps, draws.seed, draws.batch).noise(names, vae.latent, "regret").to(device)
        with torch.no_grad():
            first = tuple(part.clone() for part in vae.posterior(films_BCYX))
        last = _optimised(vae, films_BCYX, first, fresh, search.rate)
        with torch.no_grad():
            gain_B = _bound(vae, films_BCYX, last, noise_BLF) - _bound(vae, films_BCYX, first, noise_BLF)
        regrets.append(gain_B[: len(rows)].clamp_min(0.0).cpu().numpy())
    return np.concatenate(regrets)


def _optimised(
    vae: Vae, films_BCYX: Tensor, first: tuple[Tensor, ...], noise_BLF: Tensor, rate: float
) -> tuple[Tensor, ...]:
    """Mean and log variance after a step of Adam for each draw. Every film has its own numbers: none depends on another."""
    posterior = [part.clone().requires_grad_() for part in first]
    moments = [(torch.zeros_like(part), torch.zeros_like(part)) for part in posterior]
    for index, noise_BF in enumerate(noise_BLF.unbind(1), 1):
        with torch.enable_grad():
            mean_BF, log_variance_BF = posterior
            latents_BF = mean_BF + noise_BF * (0.5 * log_variance_BF).exp()
            bound = vae.log_p(films_BCYX, latents_BF).sum() - gaussian_divergence(mean_BF, log_variance_BF).sum()
            gradients = torch.autograd.grad(-bound, posterior)
        with torch.no_grad():
            for part, gradient, (slope, square) in zip(posterior, gradients, moments, strict=True):
                slope.mul_(BETAS[0]).add_(gradient, alpha=1 - BETAS[0])
                square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
                root = (square / (1 - BETAS[1] ** index)).sqrt_().add_(EPSILON)
                part.addcdiv_(slope / (1 - BETAS[0] ** index), root, value=-rate)
    return tuple(part.detach() for part in posterior)


def _bound(vae: Vae, films_BCYX: Tensor, posterior: tuple[Tensor, ...], noise_BLF: Tensor) -> Tensor:
    mean_BF, log_variance_BF = posterior
    total_B = torch.zeros(len(films_BCYX), dtype=torch.float64, device=films_BCYX.device)
    for noise_BF in noise_BLF.unbind(1):
        latents_BF = mean_BF + noise_BF * (0.5 * log_variance_BF).exp()
        total_B += vae.log_p(films_BCYX, latents_BF).double().flatten(1).sum(1)
    return total_B / noise_BLF.shape[1] - gaussian_divergence(mean_BF.double(), log_variance_BF.double())
