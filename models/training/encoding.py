"""Encoding: output of the frozen encoder for patches, their views and volumes, computed once for all heads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..batches import Patches, in_order
from ..networks.autoencoder import to_float
from ..networks.cae3d import CAE3D
from ..networks.encoders import Encoder
from ..seeds import generator
from ..views.cubes import CubeViews
from ..views.patches import Views

Array = npt.NDArray[Any]


@torch.inference_mode()
def encode_views(
    autoencoder: Encoder,
    patches: Patches,
    views: int = 4,
    seed: int = 0,
    batch: int = 64,
    draw_view: Views | CubeViews | None = None,
) -> Tensor:
    """Embeddings (V, N, F), float32, on the CPU: view 0 is the unchanged patch, `draw_view` draws the others.

    Every call of the network has `batch` patches, the last one padded, so that an embedding does not depend on the number
    of patches.
    """
    draw_view, device = draw_view or Views(), next(autoencoder.parameters()).device
    embeddings_VNF = torch.empty(views, len(patches), autoencoder.embedding_size)
    for number, index in enumerate(in_order(len(patches), batch)):
        patches_BCYX = to_float(patches[index]).to(device)
        if len(index) < batch:
            spare = patches_BCYX[-1:].expand(batch - len(index), *patches_BCYX.shape[1:])
            patches_BCYX = torch.cat([patches_BCYX, spare])
        for view in range(views):
            seen = patches_BCYX if view == 0 else draw_view(patches_BCYX, generator(seed, "codes", number, view))
            embeddings_VNF[view, index] = autoencoder.encode(seen)[: len(index)].cpu()
    return embeddings_VNF.clone()


@torch.inference_mode()
def embeddings_of(network: CAE3D, volumes: Patches, batch: int = 8) -> Array:
    """Embeddings (N, F), float32, of unchanged volumes; the last batch is padded, so that each depends on its volume alone."""
    embeddings_NF = np.empty((len(volumes), network.embedding_size), np.float32)
    for index, seen in _padded(network, volumes, batch):
        embeddings_NF[index] = network.encode(seen)[: len(index)].float().cpu().numpy()
    return embeddings_NF


@torch.inference_mode()
def reconstructions(network: CAE3D, volumes: Patches, batch: int = 8) -> Iterator[tuple[Array, Array, Array]]:
    """(rows, volumes, reconstructions), batch after batch; float32 in [0, 1], (B, C, Z, Y, X)."""
    for index, padded_BCZYX in _padded(network, volumes, batch):
        outputs_BCZYX = network(padded_BCZYX)[0].float().clamp(0.0, 1.0)
        yield index, padded_BCZYX[: len(index)].cpu().numpy(), outputs_BCZYX[: len(index)].cpu().numpy()


def squared_errors(network: CAE3D, volumes: Patches, batch: int = 8) -> Array:
    """Mean squared error of each volume's reconstruction, float64 (N,), for values in [0, 1]."""
    errors_N = np.empty(len(volumes))
    for index, volumes_BCZYX, again_BCZYX in reconstructions(network, volumes, batch):
        errors_N[index] = np.square(again_BCZYX - volumes_BCZYX, dtype=np.float64).mean((1, 2, 3, 4))
    return errors_N


def _padded(network: nn.Module, volumes: Patches, batch: int) -> Iterator[tuple[Array, Tensor]]:
    device = next(network.parameters()).device
    for index in in_order(len(volumes), batch):
        seen = to_float(volumes[index]).to(device)
        yield index, torch.cat([seen, seen[-1:].expand(batch - len(index), *seen.shape[1:])])
