"""film_inference: what a classifier says of whole unchanged films; each row depends on its film alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..batches import Patches, in_order
from ..networks.autoencoder import to_float
from ..networks.film_network import FilmNetwork

Array = npt.NDArray[Any]


@torch.inference_mode()
def logits_of(network: FilmNetwork, films: Patches, batch: int = 32) -> Array:
    """Logits (N, K), float32, of films (N, 1, S, S).

    The last batch is padded: a sum over another number of rows may end in other digits.
    """
    network.eval()
    device = next(network.parameters()).device
    rows: list[Array] = []
    for index in in_order(len(films), batch):
        seen = to_float(films[index]).to(device)
        padded = torch.cat([seen, seen[-1:].expand(batch - len(index), *seen.shape[1:])])
        rows.append(network(padded)[: len(index)].float().cpu().numpy())
    if not rows:  # the width of a row without a film
        blank = torch.zeros(1, 1, network.side, network.side, device=device)
        rows.append(network(blank)[:0].float().cpu().numpy())
    return np.concatenate(rows)
