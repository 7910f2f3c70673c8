"""VolumeViews: random variants of a whole volume, as a scan on another day would show the same body.

The generator that is passed in draws all numbers for the whole batch, and a replica takes its rows. Cells of value 0 are
outside the mask: brightness and noise leave them at 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..replica import SINGLE, Replica
from ..seeds import derived_seed, uniform


@dataclass(frozen=True, slots=True)
class VolumeViews:
    """How much a view may differ from its volume; 0 switches a change off.

    >>> draw = torch.Generator().manual_seed(0)
    >>> tuple(VolumeViews()(torch.rand(2, 1, 16, 16, 16), draw).shape)
    (2, 1, 16, 16, 16)
    """

    shift: float = 2.0
    """Largest shift along each axis, in whole voxels."""
    turn: float = 0.0
    """Largest rotation about each axis, in degrees."""
    scale: float = 0.0
    """All axes are scaled by 1 ± this together, then each by 1 ± this."""
    mirror: bool = False
    """Whether half of the views are mirrored along x (left and right)."""
    brightness: float = 0.1
    """Values are multiplied by 1 ± this."""
    noise: float = 0.01
    """Standard deviation of the noise added to each voxel; 1 = white."""
    unchanged: float = 0.0
    """Share of the volumes that are not changed: embeddings are later computed of unchanged volumes."""

    def __call__(self, volumes_BCZYX: Tensor, source: torch.Generator, replica: Replica = SINGLE) -> Tensor:
        """A view of each volume, float32 in [0, 1], same shape; `volumes_BCZYX` are the replica's rows of a batch."""
        view = self._moved(volumes_BCZYX, source, replica)
        count, device = len(volumes_BCZYX) * replica.count, volumes_BCZYX.device
        gain = uniform((count, 1, 1, 1, 1), 1.0 - self.brightness, 1.0 + self.brightness, source)
        seed = int(torch.randint(1 << 62, (), generator=source))
        if self.brightness:
            view = view * replica.part(gain).to(device)
        if self.noise:
            # one seed per row: a replica need not draw the noise of the others' volumes
            noise_BCZYX = torch.stack([_noise(view.shape[1:], seed, i) for i in range(count)[replica.rows(count)]])
            view = torch.where(view > 0, view + self.noise * noise_BCZYX.to(device), view)
        if self.unchanged:
            unchanged_B = replica.part(torch.rand(count, generator=source) < self.unchanged).to(device)
            view = torch.where(unchanged_B.view(-1, 1, 1, 1, 1), volumes_BCZYX, view)
        return view.clamp(0.0, 1.0)

    def _moved(self, volumes_BCZYX: Tensor, source: torch.Generator, replica: Replica) -> Tensor:
        count, device = len(volumes_BCZYX) * replica.count, volumes_BCZYX.device
        sides = torch.tensor(volumes_BCZYX.shape[:1:-1], dtype=torch.float32)  # x, y, z, as grids have it
        largest_shift = math.floor(self.shift)
        shift_B3 = torch.randint(-largest_shift, largest_shift + 1, (count, 3), generator=source) * 2.0 / sides
        angle_B3 = uniform((count, 3), -self.turn, self.turn, source) * math.pi / 180.0
        size_B3 = uniform((count, 1), 1 - self.scale, 1 + self.scale, source)
        size_B3 = size_B3 * uniform((count, 3), 1 - self.scale, 1 + self.scale, source)
        if self.mirror:
            size_B3 = size_B3 * torch.cat(
                [torch.randint(2, (count, 1), generator=source) * 2 - 1, torch.ones(count, 2)], 1
            )
        elif not (largest_shift or self.turn or self.scale):
            return volumes_BCZYX
        # Rotation is computed in voxels, so that boxes of unequal sides are not sheared; grids run from -1 to 1 on each side.
        matrix_B33 = _turns(angle_B3) * size_B3.unsqueeze(1) * sides / sides.unsqueeze(1)
        rows_B34 = replica.part(torch.cat([matrix_B33, shift_B3.unsqueeze(2)], 2)).to(device)
        grid = F.affine_grid(rows_B34, list(volumes_BCZYX.shape), align_corners=False)
        return F.grid_sample(volumes_BCZYX, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _noise(shape: torch.Size, seed: int, row: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(derived_seed(seed, "row", row)))


def _turns(angle_B3: Tensor) -> Tensor:
    """Rotation matrices (B, 3, 3) of angles about x, y and z."""
    cosine, sine = angle_B3.cos(), angle_B3.sin()
    matrix_B33 = torch.eye(3).repeat(len(angle_B3), 1, 1)
    for axis, (one, other) in enumerate(((1, 2), (2, 0), (0, 1))):
        turn = torch.eye(3).repeat(len(angle_B3), 1, 1)
        turn[:, one, one] = turn[:, other, other] = cosine[:, axis]
        turn[:, one, other], turn[:, other, one] = -sine[:, axis], sine[:, axis]
        matrix_B33 = matrix_B33 @ turn
    return matrix_B33
