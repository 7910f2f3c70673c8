"""Scores: how unlike the training films a film is, from a variational autoencoder; a higher score is more unlike.

```text
negative_elbo       - mean over draws of log p(x | z) + KL(q(z | x) ‖ p(z))
iwae                - ln mean over draws of p(x | z) p(z) / q(z | x)             Burda, Grosse, Salakhutdinov, ICLR 2016, eq. 8
entropy_corrected   negative_elbo - pixel entropy: what a Bernoulli likelihood costs in any case
complexity          negative_elbo - nats of the film's compressed file           Serra et al., ICLR 2020, eq. 2
reconstruction      mean squared error of the reconstruction
regret              optimised ELBO - ELBO                                        Xiao, Yan, Amit, NeurIPS 2020, eq. 5
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import SettingsError
from ..batches import Patches
from ..evaluation.tone import compressed_bits, nats
from ..networks.vae import Vae
from .evidence import DRAWS, Draws, Evidence, evidence
from .regret import SEARCH, Search, likelihood_regret

Array = npt.NDArray[Any]
VAE_SCORES = ("negative_elbo", "iwae", "entropy_corrected", "complexity", "reconstruction", "regret")


def score_films(
    vae: Vae,
    films: Patches,
    keys: Sequence[str],
    *,
    names: Sequence[str] = VAE_SCORES,
    draws: Draws = DRAWS,
    search: Search = SEARCH,
) -> dict[str, Array]:
    """Score name -> score of each film (n,), float64, in nats (reconstruction: squared grey values in [0, 1]).

    `films`: (n, C, S, S) uint8, uint16 or float in [0, 1]; `keys`: one word a film, which names its random numbers, such as its
    path in the list. A score depends on the film, its key, the network, `draws` and `search` alone. Raises SettingsError for an
    unknown score and for films or keys that do not fit.
    """
    unknown = [name for name in names if name not in VAE_SCORES]
    if unknown:
        raise SettingsError(f"there is no score {', '.join(unknown)}. Use {', '.join(VAE_SCORES)}.")
    scores: dict[str, Array] = {}
    if set(names) - {"regret"}:
        figures = evidence(vae, films, keys, draws)
        scores |= {
            "negative_elbo": negative_elbo(figures),
            "iwae": iwae(figures),
            "entropy_corrected": negative_elbo(figures) - figures.entropy,
            "reconstruction": figures.error,
        }
        if "complexity" in names:
            scores["complexity"] = scores["negative_elbo"] - nats(compressed_bits(films))
    if "regret" in names:
        scores["regret"] = likelihood_regret(vae, films, keys, draws, search)
    return {name: scores[name] for name in names}


def negative_elbo(figures: Evidence) -> Array:
    """Minus the evidence lower bound (n,), nats; the KL term is exact."""
    return np.asarray(figures.divergence - figures.log_p.mean(1))


def iwae(figures: Evidence) -> Array:
    """Minus the importance-weighted bound (n,), nats: nearer to -log p(x) the more draws there are."""
    weights_NL = figures.log_p + figures.log_ratio
    top_N1 = weights_NL.max(1, keepdims=True)
    return np.asarray(-(top_N1[:, 0] + np.log(np.exp(weights_NL - top_N1).mean(1))))
