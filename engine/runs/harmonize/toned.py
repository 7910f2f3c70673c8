"""toned: the tone of the light generator for one image, on a box of its values.

The tone of `models/networks/tone.py` once more, in numpy, plane by plane: a cell gets the same operations whatever its box is,
so its value is the same in any tile, and no array of terms is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....models.harmonization.measures import Measures
from ....models.networks.tone import FLOOR, PIECES, Tone
from ....stores.frame import Array, Box

if TYPE_CHECKING:
    from torch import Tensor


def toned(tone: Tone, values: Array, box: Box, measures: Measures, shift: Tensor | None) -> Array:
    """Values (C, *box.shape) in the generator's units, with the tone for this image; what is 0 stays 0."""
    knots = tone.knots.detach().numpy().astype(np.float64)
    gain, exponent = (0.0, 0.0) if shift is None else (float(shift[0, -2]), float(shift[0, -1]))
    out = np.empty(values.shape, np.float32)
    for channel, x in enumerate(values):
        if not tone.recipe["axes"]:
            out[channel] = _curved(x, knots[channel], tone.top, exponent)
            continue
        before = tone.before[channel].detach().numpy().copy()
        if shift is not None:
            before += shift[0, :-2].numpy()
        fields = [
            _Field.over(c, box, measures, constant=a)
            for c, a in ((before, gain), (tone.after[channel].detach().numpy(), 0.0))
        ]
        for plane in range(box.shape[0]):
            curved = _curved(x[plane] * fields[0].gain(plane), knots[channel], tone.top, exponent)
            out[channel, plane] = curved * fields[1].gain(plane)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    """A smooth field over a box, as c(y, x) + z l(y, x) + q (z^2 - 1/3) plane by plane."""

    z: Array
    constant: Array
    linear: Array
    square: float

    @classmethod
    def over(cls, coefficients: Array, box: Box, measures: Measures, *, constant: float) -> _Field:
        """The field of coefficients in the order of `models.networks.tone.terms`, for three axes."""
        z, y, x = (
            ((np.arange(a, a + n) + 0.5 - c) / h).astype(np.float32)
            for a, n, c, h in zip(box.start, box.shape, measures.centre, measures.half, strict=True)
        )
        y, x = y[:, None], x[None]
        cz, cy, cx, zy, zx, yx, zz, yy, xx = (np.float32(c) for c in coefficients)
        flat = np.float32(constant) + cy * y + cx * x + yx * y * x
        flat = flat + yy * (y * y - np.float32(1 / 3)) + xx * (x * x - np.float32(1 / 3))
        return cls(z, flat, cz + zy * y + zx * x, float(zz))

    def gain(self, plane: int) -> Array:
        """The factor on the values of one plane, float32 (y, x)."""
        z = self.z[plane]
        return np.asarray(
            np.exp(self.constant + z * self.linear + np.float32(self.square) * (z * z - np.float32(1 / 3)))
        )


def _curved(x: Array, knots: Array, top: float, exponent: float) -> Array:
    """The curve's values, float32; it goes on with its last slope, and negative values count as 0."""
    if exponent:
        x = np.maximum(x, np.float32(FLOOR)) ** np.float32(1 + exponent)
    y = np.interp(x, np.linspace(0, top, PIECES + 1), knots)
    beyond = x > top
    if beyond.any():
        y[beyond] = knots[-1] + (x[beyond] - top) * (knots[-1] - knots[-2]) * (PIECES / top)
    return y.astype(np.float32)
