"""Views: random variants of a patch, as another scanner, stain or section would show it; clusters must not depend on them.

A view turns and mirrors a patch, crops and enlarges it, may show it as if it lay on the edge of the tissue, and jitters each
stain in optical density and the brightness and contrast of the whole. The generator that is passed in draws all numbers on
the CPU for the whole batch, and a replica takes its rows: views do not depend on the device or on the number of replicas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..replica import SINGLE, Replica
from ..seeds import uniform

HED = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78))
"""Optical density of haematoxylin, eosin and DAB in red, green, blue; Ruifrok and Johnston 2001."""
DARKEST = 1.0 / 255.0


@dataclass(frozen=True, slots=True)
class Views:
    """How much a view may differ from its patch; `strength` scales everything but turning and mirroring.

    >>> draw = torch.Generator().manual_seed(0)
    >>> tuple(Views()(torch.rand(4, 3, 32, 32), draw).shape)
    (4, 3, 32, 32)
    """

    strength: float = 1.0
    """0 = only turning and mirroring, 1 = as set below."""
    crop: float = 0.5
    """Smallest share of the patch's area that a cut-out keeps."""
    stain: float = 0.1
    """Each stain's density is scaled by 1 ± this and shifted by ± a fifth of it; 0 = colour is not changed."""
    brightness: float = 0.05
    """Brightness ± this (1 = white), contrast 1 ± twice this."""
    edge: float = 0.5
    """Share of views that show an edge of the tissue: what lies beyond a straight line is filled by what lies before it."""
    brightfield: bool = True
    """True: channels are red, green, blue (of one or more stains). False: any channels, each jittered by itself."""

    def __call__(self, patches_BCYX: Tensor, source: torch.Generator, replica: Replica = SINGLE) -> Tensor:
        """A view of each patch, float32 in [0, 1], same shape; `patches_BCYX` are the replica's rows of a batch."""
        strength = min(self.strength, 1.0)
        view = cut_out(patches_BCYX, 1.0 - (1.0 - self.crop) * strength, self.edge * strength, source, replica)
        if self.stain * self.strength > 0:
            jitter = jitter_stains if self.brightfield and view.shape[1] % 3 == 0 else jitter_channels
            view = jitter(view, self.stain * self.strength, source, replica)
        if self.brightness * self.strength > 0:
            view = jitter_tone(view, self.brightness * self.strength, source, replica)
        if self.brightfield and view.shape[1] > 3:
            view = drop_stain(view, 0.1 * strength, source, replica)
        return view.clamp_(0.0, 1.0)


def cut_out(
    patches_BCYX: Tensor, smallest: float, edge: float, source: torch.Generator, replica: Replica = SINGLE
) -> Tensor:
    """Each patch in one of eight orientations; a random square of `smallest` to 1 of its area is enlarged to the patch.

    A share `edge` of the patches is mirrored across a random line first, as `models.masks.fill` fills background.
    """
    count = len(patches_BCYX) * replica.count
    side = uniform((count,), smallest, 1.0, source).sqrt()
    shift = uniform((2, count), -1.0, 1.0, source) * (1.0 - side)
    turns = torch.randint(8, (count,), generator=source)
    cosine = torch.tensor([1.0, 0.0, -1.0, 0.0])[turns % 4] * side
    sine = torch.tensor([0.0, 1.0, 0.0, -1.0])[turns % 4] * side
    handed = torch.where(turns < 4, 1.0, -1.0)
    rows = torch.stack([cosine * handed, -sine, shift[0], sine * handed, cosine, shift[1]], 1).view(count, 2, 3)
    rows = replica.part(rows).to(patches_BCYX.device)
    grid_BYX2 = F.affine_grid(rows, list(patches_BCYX.shape), align_corners=False)
    if edge > 0:
        grid_BYX2 = mirror(
            grid_BYX2, *(replica.part(drawn).to(grid_BYX2.device) for drawn in _lines(count, edge, source))
        )
    return F.grid_sample(patches_BCYX, grid_BYX2, mode="bilinear", padding_mode="reflection", align_corners=False)


def mirror(grid_BYX2: Tensor, normal_B2: Tensor, distance_B: Tensor) -> Tensor:
    """Places of a patch (x, y; -1 to 1 over it) with those beyond a line mirrored across it.

    ```text
    place    0 1 2 | 3 4        |: the line, with its unit normal and its distance from the centre
    reads    0 1 2 | 2 1
    ```
    """
    beyond_BYX = (grid_BYX2 @ normal_B2[:, None, :, None]).squeeze(-1) - distance_B[:, None, None]
    return grid_BYX2 - 2 * beyond_BYX.clamp_min(0).unsqueeze(-1) * normal_B2[:, None, None]


def _lines(count: int, share: float, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Normals and distances of random lines with half of the patch or less beyond; all but `share` lie outside it."""
    angle = uniform((count,), 0.0, 2 * math.pi, source)
    distance = uniform((count,), 0.0, 1.0, source)
    outside = torch.rand(count, generator=source) >= share
    return torch.stack([angle.cos(), angle.sin()], 1), distance.masked_fill(outside, 2.0)


def jitter_stains(patches_BCYX: Tensor, amount: float, source: torch.Generator, replica: Replica = SINGLE) -> Tensor:
    """Scale and shift haematoxylin, eosin and DAB in optical density; every three channels are one image."""
    flat = patches_BCYX.reshape(-1, 3, *patches_BCYX.shape[2:])
    stains = torch.tensor(HED)
    stains = stains / stains.norm(dim=1, keepdim=True)
    count = len(flat) * replica.count
    scale = uniform((count, 3), 1.0 - amount, 1.0 + amount, source)
    shift = uniform((count, 3), -amount / 5, amount / 5, source)
    # Unmixing, scaling and mixing is one 3 x 3 matrix for each patch.
    turn = torch.linalg.inv(stains) @ (scale.unsqueeze(-1) * stains)
    turn, shift = (replica.part(drawn).to(flat.device) for drawn in (turn, shift @ stains))
    density = flat.clamp_min(DARKEST).log_().neg_().flatten(2)
    mixed = torch.baddbmm(shift.unsqueeze(-1), turn.transpose(1, 2), density)
    return mixed.neg_().exp_().view(patches_BCYX.shape)


def jitter_channels(patches_BCYX: Tensor, amount: float, source: torch.Generator, replica: Replica = SINGLE) -> Tensor:
    """Scale each channel by 1 ± `amount`: fluorescence, grey images."""
    count, channels = patches_BCYX.shape[:2]
    scale = uniform((count * replica.count, channels, 1, 1), 1.0 - amount, 1.0 + amount, source)
    return patches_BCYX * replica.part(scale).to(patches_BCYX.device)


def jitter_tone(patches_BCYX: Tensor, amount: float, source: torch.Generator, replica: Replica = SINGLE) -> Tensor:
    """Brightness ± `amount`, contrast about mid-grey 1 ± 2 × `amount`."""
    shape = (len(patches_BCYX) * replica.count, *(1,) * (patches_BCYX.ndim - 1))
    contrast = uniform(shape, 1.0 - 2 * amount, 1.0 + 2 * amount, source)
    shift = uniform(shape, -amount, amount, source)
    contrast, shift = (replica.part(drawn).to(patches_BCYX.device) for drawn in (contrast, shift))
    return patches_BCYX * contrast + (0.5 * (1.0 - contrast) + shift)


def drop_stain(patches_BCYX: Tensor, chance: float, source: torch.Generator, replica: Replica = SINGLE) -> Tensor:
    """Replace one stain of a stack by white in a share `chance` of the patches."""
    count, channels = patches_BCYX.shape[:2]
    shape = (count * replica.count, 1)
    lost = torch.randint(channels // 3, shape, generator=source)
    hit = torch.rand(shape, generator=source) < chance
    blank_BS = replica.part((torch.arange(channels // 3) == lost) & hit).to(patches_BCYX.device)
    return patches_BCYX.masked_fill(blank_BS.repeat_interleave(3, 1)[..., None, None], 1.0)
