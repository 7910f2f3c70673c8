"""ImageNetwork: a network from images to images on the device and in the precision of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...stores.frame import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True, eq=False)
class ImageNetwork:
    """A generator in evaluation mode, with what its tiles need."""

    network: nn.Module
    channels: int
    around: int
    """Cells of the halo; a multiple of the step."""
    step: int = 1
    """Its stride: tiles begin and end on multiples of it."""
    device: str = "cpu"
    dtype: str = "float32"
    threads: int = 1
    """Threads of a tile's computation, on a CPU."""

    def of(self, tiles_BCYX: Array) -> Array:
        """Results of tiles, float32 of the same shape; sides are multiples of the step."""
        import torch

        from .gpu_stream import gpu_errors, prepare_device

        device: Any = prepare_device(self.device)
        if device.type == "cpu":
            torch.set_num_threads(self.threads)
        self.network.to(device)
        bf16 = torch.autocast(device.type, torch.bfloat16, enabled=self.dtype == "bf16")
        with gpu_errors(), torch.inference_mode(), bf16:
            tiles = torch.from_numpy(np.ascontiguousarray(tiles_BCYX)).to(device)
            return np.asarray(self.network(tiles).float().cpu().numpy())
