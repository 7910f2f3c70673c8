"""Nearest patches: patches with near embeddings should share a cluster, as two views of one patch do."""

from __future__ import annotations

import torch
from torch import Tensor

MAX_CANDIDATES = 10_000
"""Neighbours are searched among at most this many patches, spread evenly over all."""


def nearest_patches(embeddings_NF: Tensor, count: int = 10, chunk: int = 1024) -> Tensor:
    """Indices (N, M) of the `count` nearest embeddings of each row, the row itself left out; M is smaller for few rows.

    >>> nearest_patches(torch.tensor([[0.0], [1.0], [5.0]]), count=1).tolist()
    [[1], [0], [1]]
    """
    candidates = torch.arange(0, len(embeddings_NF), -(-len(embeddings_NF) // MAX_CANDIDATES))
    count = min(count, len(candidates) - 1)
    if count < 1:
        return torch.arange(len(embeddings_NF)).unsqueeze(1)
    rows = []
    for part in torch.split(torch.arange(len(embeddings_NF)), chunk):
        distances = torch.cdist(embeddings_NF[part], embeddings_NF[candidates])
        distances[part.unsqueeze(1) == candidates] = torch.inf
        rows.append(candidates[distances.topk(count, largest=False).indices])
    return torch.cat(rows)
