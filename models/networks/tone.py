"""Tone: a monotone intensity curve between two smooth fields: what differs most between scanners, in some 30 numbers.

```text
values -> x exp(before(position)) -> curve -> x exp(after(position))
```
The curve is piecewise linear and increasing, so it has an inverse: a tone maps either way. Fields are polynomials of the second
degree in positions relative to the head (see `models/harmonization/measures.py`), without a constant, which the curve holds.
A `shift` adapts a tone to one image: terms that are added to the field before the curve, the logarithm of a gain, and an
exponent that bends the values, less 1.
"""

# B images, C channels, N cells, T terms of a field, K pieces of the curve

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

PIECES = 12
FLOOR = 1e-4
"""Values below count as this much where they are raised to a power."""


def terms_of(axes: int) -> int:
    """Number of terms of a field: linear, products, squares."""
    return 2 * axes + axes * (axes - 1) // 2


def terms(positions: list[Tensor]) -> list[Tensor]:
    """The terms of a field at positions, one tensor for each axis; they broadcast against each other."""
    products = [a * b for i, a in enumerate(positions) for b in positions[i + 1 :]]
    return [*positions, *products, *(a * a - 1 / 3 for a in positions)]


class Tone(nn.Module):
    """Curve and fields of one pair of sites; with `axes` 0 there are no fields.

    >>> tone = Tone()
    >>> x_BCN = torch.rand(1, 1, 5)
    >>> bool(torch.allclose(tone(x_BCN, torch.zeros(1, 5, 9)), x_BCN, atol=1e-3))
    True
    """

    def __init__(self, channels: int = 1, axes: int = 3, top: float = 1.8) -> None:
        """`top`: end of the curve; it goes on with its last slope."""
        super().__init__()
        self.recipe: dict[str, Any] = {"channels": channels, "axes": axes, "top": top}
        self.top = top
        self.rises = nn.Parameter(torch.full((channels, PIECES), 0.5413))  # softplus(0.5413) = 1
        self.before = nn.Parameter(torch.zeros(channels, terms_of(axes) if axes else 0))
        self.after = nn.Parameter(torch.zeros(channels, terms_of(axes) if axes else 0))

    @property
    def knots(self) -> Tensor:
        """(C, K + 1): values of the curve at the ends of its pieces, from 0 on."""
        rises = softplus(self.rises).cumsum(1) * (self.top / PIECES)
        return torch.cat([torch.zeros_like(rises[:, :1]), rises], 1)

    def curve(self, values_BCN: Tensor) -> Tensor:
        """The curve's values; negative inputs count as 0."""
        knots = self.knots
        at = values_BCN.clamp(min=0) * (PIECES / self.top)
        piece = at.detach().floor().clamp(max=PIECES - 1).long()
        low, high = (_looked_up(knots, piece + i) for i in (0, 1))
        return low + (at - piece) * (high - low)

    def forward(self, values_BCN: Tensor, terms_BNT: Tensor, shift_BS: Tensor | None = None) -> Tensor:
        """Values as of the other site."""
        x: Tensor = values_BCN
        if self.before.shape[1]:
            x = x * (self._before(shift_BS, len(x)) @ terms_BNT.mT).exp()
        if shift_BS is not None:
            x = (x * shift_BS[:, -2, None, None].exp()).clamp(min=FLOOR) ** (1 + shift_BS[:, -1, None, None])
        y = self.curve(x)
        if self.after.shape[1]:
            y = y * (self.after @ terms_BNT.mT).exp()
        return y

    @torch.no_grad()
    def inverse(self, values_BCN: Tensor, terms_BNT: Tensor, shift_BS: Tensor | None = None) -> Tensor:
        """Values as before: `inverse(forward(x)) == x` for values that are not negative."""
        y: Tensor = values_BCN
        if self.after.shape[1]:
            y = y * (-self.after @ terms_BNT.mT).exp()
        knots = self.knots
        rows = y.clamp(min=0).transpose(0, 1).flatten(1).contiguous()
        piece = (torch.searchsorted(knots, rows) - 1).clamp(0, PIECES - 1)
        piece = piece.view(len(knots), len(y), -1).transpose(0, 1)
        low, high = (_looked_up(knots, piece + i) for i in (0, 1))
        x = (piece + (y.clamp(min=0) - low) / (high - low)) * (self.top / PIECES)
        if shift_BS is not None:
            x = x.clamp(min=FLOOR) ** (1 / (1 + shift_BS[:, -1, None, None])) * (-shift_BS[:, -2, None, None]).exp()
        if self.before.shape[1]:
            x = x * (-self._before(shift_BS, len(y)) @ terms_BNT.mT).exp()
        return x

    def _before(self, shift_BS: Tensor | None, images: int) -> Tensor:
        fields: Tensor = self.before.expand(images, -1, -1)
        if shift_BS is not None:
            fields = fields + shift_BS[:, None, :-2]
        return fields


def _looked_up(knots_CK: Tensor, index_BCN: Tensor) -> Tensor:
    return torch.gather(knots_CK.expand(len(index_BCN), -1, -1), 2, index_BCN)


class ShiftNetwork(nn.Module):
    """Predicts the shift of a tone for one volume from its thumbnail (see `Measures`): 26 thousand parameters.

    `trust` is the share of a predicted shift that is believed: training measures it on people that it did not see.
    """

    trust: Tensor

    def __init__(self, terms: int, source: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("trust", torch.ones(()))
        from ..seeds import initialise

        widths = (2, 16, 24, 24)
        blocks: list[nn.Module] = []
        for a, b in pairwise(widths):
            blocks += [nn.Conv3d(a, b, 3, 2, 1), nn.ReLU()]
        self.network = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(widths[-1] * 27, terms + 2))
        initialise(self, source)

    def forward(self, thumbnails_BZYX: Tensor, covered_BZYX: Tensor) -> Tensor:
        """Shifts (B, terms + 2) of thumbnails in units of the scale."""
        logs = thumbnails_BZYX.clamp(min=0.03).log() * covered_BZYX
        shift: Tensor = self.network(torch.stack([logs, covered_BZYX], 1))
        return 0.1 * self.trust * shift
