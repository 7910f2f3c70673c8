"""QuantileCurve: a monotone curve that gives values the distribution of another set: the last step of the light generator.

A network that is trained for least error leaves values nearer to their means than they are at the target; a curve through equal
quantiles undoes that on average, cell by cell, and costs no halo.
"""

# B batch, C channel, K knots

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Array = npt.NDArray[Any]

SHARES = np.concatenate(
    [[0, 0.005, 0.01, 0.02, 0.03, 0.05], np.linspace(0.075, 0.925, 35), [0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 1]]
)
"""Shares whose quantiles are the knots."""
LEAST_RISE = 1e-5


class QuantileCurve(nn.Module):
    """Piecewise linear by channel; beyond its ends it goes on with slope 1.

    >>> curve = QuantileCurve(1, 3).fitted(np.array([[0.0, 1.0, 2.0]]), np.array([[0.0, 2.0, 3.0]]))
    >>> curve(torch.tensor([[[0.5, 2.0, 4.0, -1.0]]])).tolist()
    [[[1.0, 3.0, 5.0, -1.0]]]
    """

    before: Tensor
    after: Tensor

    def __init__(self, channels: int = 1, knots: int = len(SHARES)) -> None:
        """A new one changes nothing."""
        super().__init__()
        line = torch.linspace(0, 1, knots).expand(channels, -1).contiguous()
        self.register_buffer("before", line.clone())
        self.register_buffer("after", line.clone())

    def fitted(self, before: Array, after: Array) -> QuantileCurve:
        """The curve from the quantiles `before` (C, K) to those `after`; equal ones are moved apart by a hair."""
        for buffer, knots in ((self.before, before), (self.after, after)):
            rising = np.maximum.accumulate(knots, 1) + LEAST_RISE * np.arange(knots.shape[1]) * (
                np.diff(knots, axis=1).min() <= 0
            )
            buffer.copy_(torch.from_numpy(rising.astype(np.float32)))
        return self

    def forward(self, values_BCYX: Tensor) -> Tensor:
        rows_CN = values_BCYX.transpose(0, 1).flatten(1).contiguous()
        last = self.before.shape[1] - 1
        piece = (torch.searchsorted(self.before, rows_CN) - 1).clamp(0, last - 1)
        x0, x1, y0, y1 = (knots.gather(1, piece + i) for knots in (self.before, self.after) for i in (0, 1))
        inside = y0 + (rows_CN - x0) * (y1 - y0) / (x1 - x0)
        ends = torch.where(rows_CN < x0, rows_CN - x0 + y0, rows_CN - x1 + y1)
        changed = torch.where((rows_CN < x0) | (rows_CN > x1), ends, inside)
        return changed.view(values_BCYX.transpose(0, 1).shape).transpose(0, 1)


def quantiles(pieces: list[Array]) -> Array:
    """Quantiles of values (C, n) of one image after the other, averaged over images: (C, K), float64."""
    each = [np.quantile(values.astype(np.float64), SHARES, axis=1).T for values in pieces]
    return np.asarray(np.mean(each, axis=0))
