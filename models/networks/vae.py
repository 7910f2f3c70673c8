"""Vae: variational autoencoder of films: a posterior over latent variables, and what each pixel should be given them.

```text
dense         pixels -> hidden, ReLU -> mean, log variance (latent) ~ z -> hidden, ReLU -> outputs (pixels)
convolutional (C, S, S) -> [conv stride 2, GroupNorm, ReLU] x blocks -> linear -> mean, log variance (latent)
              z -> linear -> [transposed conv stride 2, cut to the encoder's side, GroupNorm, ReLU] x blocks -> outputs
```
The likelihood (`losses/likelihoods.py`) says what outputs mean. Kingma and Welling, ICLR 2014. The preset `kurotaki2017` is the
dense network of 100 x 100 pixels of Kurotaki et al. 2017: 256 hidden units, 256 latent variables, Bernoulli.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import SettingsError
from ..losses.likelihoods import LIKELIHOODS
from ..seeds import generator, initialise

NORM_GROUPS = 8
SMALLEST_SIDE = 8
MIN_BOTTOM_CELLS = 4
"""Convolutions of stride 2 are added, at most one per width, while at least this many cells a side remain."""
MAX_LOG_VARIANCE = 10.0
"""Bound of the log variance of the posterior: beyond it exp() of a bad start is infinite."""
VAE_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "kurotaki2017": {"side": 100, "latent": 256, "hidden": 256, "likelihood": "bernoulli"},
    "convolutional": {"side": 100, "latent": 16, "likelihood": "gaussian"},
}
"""Name -> arguments of `Vae`."""


class Vae(nn.Module):
    """Variational autoencoder of square films.

    >>> vae = Vae(side=20, latent=2, widths=(8, 8))
    >>> mean_BF, log_variance_BF = vae.posterior(torch.zeros(3, 1, 20, 20))
    >>> tuple(mean_BF.shape), tuple(vae.outputs(mean_BF).shape), tuple(vae.log_p(torch.zeros(3, 1, 20, 20), mean_BF).shape)
    ((3, 2), (3, 1, 20, 20), (3, 1, 20, 20))
    """

    def __init__(
        self,
        side: int = 100,
        channels: int = 1,
        latent: int = 16,
        likelihood: str = "gaussian",
        *,
        hidden: int = 0,
        widths: tuple[int, ...] = (16, 32, 64, 64),
        source: torch.Generator | None = None,
    ) -> None:
        """`hidden`: units of the dense network's one layer on either side; 0 for the convolutional network of `widths`.

        `source` draws the initial weights (seed 0 without it). Raises SettingsError for sizes that make no network.
        """
        super().__init__()
        _check(side, channels, latent, likelihood)
        self._recipe: dict[str, Any] = {
            **{"side": side, "channels": channels, "latent": latent, "likelihood": likelihood},
            **({"hidden": hidden} if hidden else {"widths": list(widths)}),
        }
        self.side, self.channels, self.latent, self.hidden = side, channels, latent, hidden
        self.likelihood = LIKELIHOODS[likelihood]
        pixels = channels * side * side
        if hidden:
            self.encoder: nn.Module = nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU(inplace=True))
            self.to_posterior = nn.Linear(hidden, 2 * latent)
            self.decoder: nn.Module = nn.Sequential(
                nn.Linear(latent, hidden),
                nn.ReLU(inplace=True),
                nn.Linear(hidden, pixels),
                nn.Unflatten(1, (channels, side, side)),
            )
        else:
            sides = _sides(side, len(widths))
            used = widths[: len(sides) - 1]
            self.encoder = nn.Sequential(*_down(channels, used), nn.Flatten())
            self.to_posterior = nn.Linear(used[-1] * sides[-1] ** 2, 2 * latent)
            self.decoder = nn.Sequential(
                nn.Linear(latent, used[-1] * sides[-1] ** 2),
                nn.Unflatten(1, (used[-1], sides[-1], sides[-1])),
                *_up(channels, used, sides),
            )
        scale = torch.tensor(self.likelihood.scale).log()
        if self.likelihood.learned:
            self.log_scale = nn.Parameter(scale)
        else:
            self.register_buffer("log_scale", scale)
        self.template: Tensor
        self.register_buffer("template", torch.zeros(channels, side, side))
        initialise(self, source or generator(0, "vae"))

    def posterior(self, films_BCYX: Tensor) -> tuple[Tensor, Tensor]:
        """(mean, log variance) of the latent variables (B, F) of float films in [0, 1]."""
        centred = films_BCYX if self.hidden else (films_BCYX - 0.5) * 4.0
        mean_BF, log_variance_BF = self.to_posterior(self.encoder(centred)).chunk(2, 1)
        return mean_BF, log_variance_BF.clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)

    def outputs(self, latents_BF: Tensor) -> Tensor:
        """What the likelihood reads, (B, C, Y, X): logits of its mean parameter."""
        outputs_BCYX: Tensor = self.decoder(latents_BF) + self.template
        return outputs_BCYX

    def log_p(self, films_BCYX: Tensor, latents_BF: Tensor) -> Tensor:
        """log p(x | z) of each pixel, (B, C, Y, X); nats."""
        return self.likelihood.log_p(films_BCYX, self.outputs(latents_BF), self.log_scale)

    def reconstruct(self, films_BCYX: Tensor) -> Tensor:
        """The mean of what the film should be, given the mean of its posterior: (B, C, Y, X) in [0, 1]."""
        return self.likelihood.mean(self.outputs(self.posterior(films_BCYX)[0]))

    def forward(self, films_BCYX: Tensor, noise_BF: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(log p of each pixel, mean, log variance), for z = mean + noise · standard deviation."""
        mean_BF, log_variance_BF = self.posterior(films_BCYX)
        return self.log_p(films_BCYX, mean_BF + noise_BF * (0.5 * log_variance_BF).exp()), mean_BF, log_variance_BF

    def recipe(self) -> dict[str, Any]:
        """Arguments that rebuild this network, without its weights: `vae_of(recipe)`."""
        return dict(self._recipe)


def vae_of(recipe: Mapping[str, Any], source: torch.Generator | None = None) -> Vae:
    """The network that a recipe describes, with new weights."""
    sizes = {**recipe, "widths": tuple(recipe["widths"])} if "widths" in recipe else dict(recipe)
    return Vae(**sizes, source=source)


def vae_preset(name: str, source: torch.Generator | None = None, **changes: Any) -> Vae:
    """The network of a preset with some arguments changed: `vae_preset("kurotaki2017", side=64)`. Raises SettingsError."""
    if name not in VAE_PRESETS:
        raise SettingsError(f"there is no variational autoencoder '{name}'. Use one of {', '.join(VAE_PRESETS)}.")
    return Vae(**{**VAE_PRESETS[name], **changes}, source=source)


class Cut(nn.Module):
    """The first cells along both axes: a transposed convolution gives an even side where the encoder had an odd one."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, maps_BCYX: Tensor) -> Tensor:
        return maps_BCYX[..., : self.side, : self.side]


def _sides(side: int, blocks: int) -> list[int]:
    """Side of the film and of the maps after each convolution of stride 2.

    >>> _sides(100, 4), _sides(28, 4)
    ([100, 50, 25, 13, 7], [28, 14, 7, 4])
    """
    sides = [side]
    while len(sides) <= blocks and -(-sides[-1] // 2) >= MIN_BOTTOM_CELLS:
        sides.append(-(-sides[-1] // 2))
    return sides


def _down(channels: int, widths: tuple[int, ...]) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for inputs, outputs in pairwise((channels, *widths)):
        blocks += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), *_norm(outputs)]
    return blocks


def _up(channels: int, widths: tuple[int, ...], sides: list[int]) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for (inputs, outputs), side in zip(pairwise((*widths[::-1], channels)), sides[-2::-1], strict=True):
        final = side == sides[0]
        blocks += [nn.ConvTranspose2d(inputs, outputs, 2, 2, bias=final), Cut(side)]
        blocks += [] if final else _norm(outputs)
    return blocks


def _norm(channels: int) -> list[nn.Module]:
    return [nn.GroupNorm(NORM_GROUPS if channels % NORM_GROUPS == 0 else 1, channels), nn.ReLU(inplace=True)]


def _check(side: int, channels: int, latent: int, likelihood: str) -> None:
    if side < SMALLEST_SIDE or channels < 1 or latent < 1 or likelihood not in LIKELIHOODS:
        raise SettingsError(
            f"a variational autoencoder of films of {side} pixels a side and {channels} channels with {latent} latent "
            f"variables and the likelihood '{likelihood}' cannot be made: it needs {SMALLEST_SIDE} pixels, one channel, one "
            f"variable and one of {', '.join(LIKELIHOODS)}."
        )
