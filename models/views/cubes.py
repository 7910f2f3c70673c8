"""CubeViews: random variants of cubic patches of volumes, as another scan would show them.

Axes are mirrored, never exchanged: voxels may be longer along one axis. See patches.py for flat coloured patches and
volumes.py for whole bodies that stay upright.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..replica import SINGLE, Replica
from ..seeds import uniform
from .patches import jitter_tone


@dataclass(frozen=True, slots=True)
class CubeViews:
    """How much a view may differ from its patch; `strength` scales everything but mirroring.

    >>> draw = torch.Generator().manual_seed(0)
    >>> tuple(CubeViews()(torch.rand(4, 1, 16, 16, 16), draw).shape)
    (4, 1, 16, 16, 16)
    """

    strength: float = 1.0
    """0 = only mirroring, 1 = as set below."""
    crop: float = 0.5
    """Smallest share of the patch's volume that a cut-out keeps."""
    brightness: float = 0.05
    """Brightness ± this (1 = white), contrast 1 ± twice this."""

    def __call__(self, patches_BCZYX: Tensor, source: torch.Generator, replica: Replica = SINGLE) -> Tensor:
        """A view of each patch, float32 in [0, 1], same shape; `patches_BCZYX` are the replica's rows of a batch."""
        view = mirror_and_crop(patches_BCZYX, 1.0 - (1.0 - self.crop) * min(self.strength, 1.0), source, replica)
        if self.brightness * self.strength > 0:
            view = jitter_tone(view, self.brightness * self.strength, source, replica)
        return view.clamp(0.0, 1.0)


def mirror_and_crop(
    patches_BCZYX: Tensor, smallest: float, source: torch.Generator, replica: Replica = SINGLE
) -> Tensor:
    """Each patch mirrored along random axes; a random box of `smallest` to 1 of its volume is enlarged to the patch."""
    count = len(patches_BCZYX) * replica.count
    side_B1 = uniform((count, 1), smallest, 1.0, source) ** (1 / 3)
    shift_B3 = uniform((count, 3), -1.0, 1.0, source) * (1.0 - side_B1)
    mirror_B3 = torch.randint(2, (count, 3), generator=source) * 2.0 - 1.0
    rows_B34 = torch.cat([torch.diag_embed(mirror_B3 * side_B1), shift_B3.unsqueeze(2)], 2)
    rows_B34 = replica.part(rows_B34).to(patches_BCZYX.device)
    grid = F.affine_grid(rows_B34, list(patches_BCZYX.shape), align_corners=False)
    return F.grid_sample(patches_BCZYX, grid, mode="bilinear", padding_mode="border", align_corners=False)
