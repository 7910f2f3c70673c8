"""Neighbours: which patches have the nearest codes; patches alike should share a cluster as two views of one do."""

from __future__ import annotations

import torch
from torch import Tensor

AMONG = 10_000
"""Neighbours are looked for among this many patches at most, spread evenly over all."""


def nearest(codes_NF: Tensor, count: int = 10, chunk: int = 1024) -> Tensor:
    """Indices (N, M) of the `count` nearest codes of each, itself left out; fewer where there are fewer codes.

    >>> nearest(torch.tensor([[0.0], [1.0], [5.0]]), count=1).tolist()
    [[1], [0], [1]]
    """
    candidates = torch.arange(0, len(codes_NF), -(-len(codes_NF) // AMONG))
    count = min(count, len(candidates) - 1)
    if count < 1:
        return torch.arange(len(codes_NF)).unsqueeze(1)
    rows = []
    for part in torch.split(torch.arange(len(codes_NF)), chunk):
        distances = torch.cdist(codes_NF[part], codes_NF[candidates])
        distances[part.unsqueeze(1) == candidates] = torch.inf
        rows.append(candidates[distances.topk(count, largest=False).indices])
    return torch.cat(rows)
