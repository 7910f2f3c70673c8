"""FilmViews: random variants of a film, as another exposure of the same person would show it.

A view is shifted, turned, scaled, and has another contrast, gamma and brightness. It is never mirrored: the heart is on the
left, and a mirrored film would show another disease. The generator that is passed in draws all numbers on the CPU for the whole
batch, and a replica takes its rows: views do not depend on the device or on the number of replicas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import SettingsError
from ..replica import SINGLE, Replica
from ..seeds import uniform


@dataclass(frozen=True, slots=True)
class FilmViews:
    """How much a view may differ from its film; 0 switches a change off.

    >>> draw = torch.Generator().manual_seed(0)
    >>> tuple(FilmViews()(torch.rand(4, 1, 32, 32), draw).shape)
    (4, 1, 32, 32)
    """

    shift: float = 0.06
    """Largest shift along each axis, as a share of the side."""
    turn: float = 8.0
    """Largest rotation, in degrees."""
    scale: float = 0.12
    """Both axes are scaled by 1 ± this together, then each by 1 ± a third of it."""
    contrast: float = 0.2
    """Contrast about the film's mean, 1 ± this."""
    gamma: float = 0.25
    """Values in [0, 1] are raised to a power between 1 / (1 + this) and 1 + this."""
    brightness: float = 0.05
    """Brightness ± this (1 = white)."""

    def __post_init__(self) -> None:
        sizes = (self.shift, self.turn, self.scale, self.contrast, self.gamma, self.brightness)
        if min(sizes) < 0 or max(self.shift, self.scale, self.contrast) >= 1:
            raise SettingsError(
                f"views of films with the changes {sizes} (shift, turn, scale, contrast, gamma, brightness) cannot be made: "
                "none is below 0, and shift, scale and contrast are shares below 1."
            )

    def __call__(self, films_BCYX: Tensor, source: torch.Generator, replica: Replica = SINGLE) -> Tensor:
        """A view of each film, float32 in [0, 1], same shape; `films_BCYX` are the replica's rows of a batch, in [0, 1]."""
        view = films_BCYX
        rows_B23 = self.moves(len(films_BCYX) * replica.count, source)
        if self.shift or self.turn or self.scale:
            grid = F.affine_grid(replica.part(rows_B23).to(view.device), list(view.shape), align_corners=False)
            # what comes in from beyond an edge is like the edge: a black rim would say how far a film was moved
            view = F.grid_sample(view, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return self.tone(view, source, replica).clamp(0.0, 1.0)

    def moves(self, count: int, source: torch.Generator) -> Tensor:
        """Affine maps (B, 2, 3) from a view to its film, in coordinates from -1 to 1 over a square film."""
        angle_B = uniform((count,), -self.turn, self.turn, source) * math.pi / 180.0
        size_B1 = uniform((count, 1), 1 - self.scale, 1 + self.scale, source)
        size_B2 = size_B1 * uniform((count, 2), 1 - self.scale / 3, 1 + self.scale / 3, source)
        shift_B2 = uniform((count, 2), -self.shift, self.shift, source) * 2.0
        cosine, sine = angle_B.cos(), angle_B.sin()
        turn_B22 = torch.stack([cosine, -sine, sine, cosine], 1).view(count, 2, 2)
        return torch.cat([turn_B22 * size_B2.unsqueeze(1), shift_B2.unsqueeze(2)], 2)

    def tone(self, films_BCYX: Tensor, source: torch.Generator, replica: Replica = SINGLE) -> Tensor:
        """Films of another gamma, contrast and brightness; values may leave [0, 1]."""
        shape = (len(films_BCYX) * replica.count, 1, 1, 1)
        power = math.log1p(self.gamma)
        gamma = uniform(shape, -power, power, source).exp()
        contrast = uniform(shape, 1 - self.contrast, 1 + self.contrast, source)
        shift = uniform(shape, -self.brightness, self.brightness, source)
        gamma, contrast, shift = (replica.part(drawn).to(films_BCYX.device) for drawn in (gamma, contrast, shift))
        view = films_BCYX if not self.gamma else films_BCYX.clamp(0.0, 1.0) ** gamma
        mean = view.mean((1, 2, 3), keepdim=True)
        return (view - mean) * contrast + (mean + shift)


UNCHANGED = FilmViews(shift=0.0, turn=0.0, scale=0.0, contrast=0.0, gamma=0.0, brightness=0.0)
"""Views that are the films themselves."""
