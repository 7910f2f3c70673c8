"""Evidence: what a variational autoencoder says of each film, in batches whose rows do not depend on each other.

A film's random numbers are drawn from a generator named by the seed and the film's own key, and the last batch is padded:
a film has the same score alone, among others and in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import SettingsError
from ..batches import Patches, in_order
from ..losses.likelihoods import gaussian_divergence, pixel_entropy
from ..networks.autoencoder import to_float
from ..networks.vae import Vae
from ..seeds import generator
from ..training.variational import check_shape

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Draws:
    """How films are scored: what is drawn for each, and how many films are computed at once."""

    samples: int = 16
    """Draws from the posterior of a film."""
    seed: int = 0
    batch: int = 32
    """Films at once."""
    shared: bool = False
    """Whether all films have the same random numbers, so that none needs a key: for tiles and slices."""

    def __post_init__(self) -> None:
        if self.samples < 1 or self.batch < 1:
            raise SettingsError(
                f"{self.samples} draws of {self.batch} films at once cannot be done: both are at least 1. Use --draws 16."
            )

    def noise(self, keys: Sequence[str], latent: int, *words: object) -> Tensor:
        """Standard normal numbers of these films, (B, samples, F) float32."""
        if self.shared:
            one = torch.randn(self.samples, latent, generator=generator(self.seed, "film", *words))
            return one.expand(len(keys), -1, -1)
        return torch.stack(
            [torch.randn(self.samples, latent, generator=generator(self.seed, "film", *words, key)) for key in keys]
        )


DRAWS = Draws()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Figures of N films; all in nats, summed over pixels or latent variables, float64."""

    log_p: Array
    """log p(x | z) of each draw z of the posterior, (N, L)."""
    log_ratio: Array
    """log p(z) - log q(z | x) of each draw, (N, L)."""
    divergence: Array
    """KL(q(z | x) ‖ p(z)), exact, (N,)."""
    entropy: Array
    """Sum of the entropies of pixels (`pixel_entropy`), (N,)."""
    error: Array
    """Mean squared error of the reconstruction, grey values in [0, 1], (N,)."""


def padded_batches(
    films: Patches, keys: Sequence[str], draws: Draws, device: torch.device
) -> Iterator[tuple[Array, Tensor, list[str]]]:
    """(rows, films (batch, C, Y, X) float, their keys); the last film fills the last batch. Raises SettingsError."""
    if len(keys) != len(films) or (len(set(keys)) != len(keys) and not draws.shared):
        raise SettingsError(
            f"{len(set(keys))} different keys were given for {len(films)} films: a key names one film, and its random numbers."
        )
    for rows in in_order(len(films), draws.batch):
        seen, names = to_float(films[rows]).to(device), [keys[row] for row in rows]
        missing = draws.batch - len(rows)
        padded = torch.cat([seen, seen[-1:].expand(missing, *seen.shape[1:])]) if missing else seen
        yield rows, padded, names + names[-1:] * missing


@torch.inference_mode()
def evidence(vae: Vae, films: Patches, keys: Sequence[str], draws: Draws = DRAWS) -> Evidence:
    """What the network says of each film of (n, C, S, S) uint8, uint16 or float in [0, 1].

    Raises SettingsError for films that do not fit the network, and for keys that are not one a film.
    """
    check_shape(vae, films)
    vae.eval()
    device = next(vae.parameters()).device
    parts: list[tuple[Array, ...]] = []
    for rows, films_BCYX, names in padded_batches(films, keys, draws, device):
        mean_BF, log_variance_BF = vae.posterior(films_BCYX)
        noise_BLF = draws.noise(names, vae.latent).to(device)
        log_p_BL, log_ratio_BL = [], []
        for noise_BF in noise_BLF.unbind(1):
            latents_BF = mean_BF + noise_BF * (0.5 * log_variance_BF).exp()
            log_p_BL.append(vae.log_p(films_BCYX, latents_BF).double().flatten(1).sum(1))
            # both densities have the factor (2 pi) ** -0.5
            ratio_BF = noise_BF.square() + log_variance_BF - latents_BF.square()
            log_ratio_BL.append(0.5 * ratio_BF.double().sum(1))
        error_BCYX = (vae.likelihood.mean(vae.outputs(mean_BF)) - films_BCYX).square()
        tensors = (
            torch.stack(log_p_BL, 1),
            torch.stack(log_ratio_BL, 1),
            gaussian_divergence(mean_BF.double(), log_variance_BF.double()),
            pixel_entropy(films_BCYX.double()),
            error_BCYX.double().flatten(1).mean(1),
        )
        parts.append(tuple(tensor[: len(rows)].cpu().numpy() for tensor in tensors))
    return Evidence(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@torch.inference_mode()
def error_maps(vae: Vae, films: Patches, batch: int = 32) -> Iterator[tuple[Array, Array]]:
    """(rows, squared error of the reconstruction at each pixel, mean over channels: float32 (B, Y, X)), batch after batch.

    Raises SettingsError for films that do not fit the network.
    """
    check_shape(vae, films)
    vae.eval()
    device = next(vae.parameters()).device
    keys = [str(row) for row in range(len(films))]
    for rows, films_BCYX, _ in padded_batches(films, keys, Draws(batch=batch), device):
        error_BYX = (vae.reconstruct(films_BCYX) - films_BCYX).square().mean(1)
        yield rows, error_BYX[: len(rows)].cpu().numpy()
