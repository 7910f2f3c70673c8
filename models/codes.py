"""Codes: what the frozen encoder makes of every patch and of a few views of it, computed once for all heads."""

from __future__ import annotations

import torch
from torch import Tensor

from .autoencoder import Autoencoder, to_float
from .batches import Patches, in_order
from .seeds import generator
from .views import Views

# V views, N patches, F features of a code


@torch.inference_mode()
def encode_views(
    autoencoder: Autoencoder,
    patches: Patches,
    views: int = 4,
    seed: int = 0,
    batch: int = 64,
    kind: Views | None = None,
) -> Tensor:
    """Codes (V, N, F): view 0 is the patch as it is, the others are drawn by `kind`.

    Every call of the network has `batch` patches, the last one padded, so that a code does not depend on how many
    patches there are.
    """
    kind, device = kind or Views(), next(autoencoder.parameters()).device
    codes_VNF = torch.empty(views, len(patches), autoencoder.code)
    for number, index in enumerate(in_order(len(patches), batch)):
        patches_BCYX = to_float(patches[index]).to(device)
        if len(index) < batch:
            spare = patches_BCYX[-1:].expand(batch - len(index), -1, -1, -1)
            patches_BCYX = torch.cat([patches_BCYX, spare])
        for view in range(views):
            seen = patches_BCYX if view == 0 else kind(patches_BCYX, generator(seed, "codes", number, view))
            codes_VNF[view, index] = autoencoder.encode(seen)[: len(index)].cpu()
    return codes_VNF.clone()
