"""ImageNetwork: a network from images to images as a plan's model: cell by cell, one result for any tiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...stores.frame import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True, eq=False)
class ImageNetwork:
    """A generator in evaluation mode. Tiles lie on the generator's stride, and their halo is at least its reach."""

    network: nn.Module
    axes: int
    around: int
    """Cells of the halo."""
    name: str
    """Name of its output."""
    channels: int
    device: str = "cpu"
    dtype: str = "float32"
    threads: int = 1
    """Threads of a tile's computation, on a CPU."""

    @property
    def stride(self) -> tuple[int, ...]:
        return (1,) * self.axes

    @property
    def halo(self) -> tuple[int, ...]:
        return (self.around,) * self.axes

    @property
    def readers(self) -> int:
        return 1

    @property
    def outputs(self) -> Mapping[str, tuple[int, str]]:
        return {self.name: (self.channels, "float32")}

    def __call__(self, batches: Iterator[Array]) -> Iterator[Mapping[str, Array]]:
        for batch in batches:
            yield {self.name: self.of(batch)}

    def of(self, batch_BCYX: Array) -> Array:
        """Results of tiles with their halo, (B, C, *read), without it."""
        import torch

        from .gpu_stream import gpu_errors, prepare_device

        device: Any = prepare_device(self.device)
        if device.type == "cpu":
            torch.set_num_threads(self.threads)
        self.network.to(device)
        crop = (..., *[slice(h, -h or None) for h in self.halo])
        bf16 = torch.autocast(device.type, torch.bfloat16, enabled=self.dtype == "bf16")
        with gpu_errors(), torch.inference_mode(), bf16:
            tiles = torch.from_numpy(np.ascontiguousarray(batch_BCYX)).to(device)
            return np.asarray(self.network(tiles)[crop].float().cpu().numpy())
