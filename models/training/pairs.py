"""PairSampler: batches of pairs that should share a cluster: two views of a patch, or a patch and one of its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..batches import Shuffled
from ..seeds import generator


class PairSampler:
    """`sampler[index]` is the batch of step `index`: embeddings (S, B, F) of the pairs' first and second halves; S seeds."""

    def __init__(
        self, embeddings_VNF: Tensor, near_NM: Tensor, share: float, seeds: Sequence[int], name: str, batch: int
    ) -> None:
        """`share`: share of pairs whose second half is a neighbour of the patch. `name`: part of the random numbers' seed."""
        self._embeddings_VNF, self._near_NM, self._share = embeddings_VNF, near_NM, share
        self._seeds, self._name = tuple(seeds), name
        self._batches = [Shuffled(embeddings_VNF.shape[1], batch, seed, name) for seed in seeds]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        pairs = [self._pair(s, index) for s in range(len(self._seeds))]
        return torch.stack([first for first, _ in pairs]), torch.stack([second for _, second in pairs])

    def _pair(self, s: int, index: int) -> tuple[Tensor, Tensor]:
        patches = torch.from_numpy(self._batches[s][index])
        views = len(self._embeddings_VNF)
        draw = generator(self._seeds[s], self._name, index)
        first = torch.randint(views, (len(patches),), generator=draw)
        other = (first + torch.randint(1, max(views, 2), (len(patches),), generator=draw)) % views
        near = torch.randint(self._near_NM.shape[1], (len(patches),), generator=draw)
        alike = torch.rand(len(patches), generator=draw) < self._share
        partners = torch.where(alike, self._near_NM[patches, near], patches)
        return self._embeddings_VNF[first, patches], self._embeddings_VNF[other, partners]
