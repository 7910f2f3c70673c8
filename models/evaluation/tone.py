"""Tone: what a film's grey values alone say, with no model: mean intensity, entropy of pixels, size of a compressed file."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from ..batches import Patches, in_order

Array = npt.NDArray[Any]
ZLIB_LEVEL = 9
BATCH = 256
"""Films in memory at once."""
TONES = ("mean_intensity", "pixel_entropy", "compressed_bits")


def tones(films: Patches) -> dict[str, Array]:
    """`TONES` of films (n, C, Y, X) uint8, uint16 or float in [0, 1]: float64 (n,); entropy in nats, summed over pixels."""
    parts = [_grey(films[rows]) for rows in in_order(len(films), BATCH)]
    entropy = [(entr(part) + entr(1 - part)).sum((1, 2, 3)) for part in parts]
    means = [part.mean((1, 2, 3)) for part in parts]
    return dict(zip(TONES, (np.concatenate(means), np.concatenate(entropy), compressed_bits(films)), strict=True))


def compressed_bits(films: Patches) -> Array:
    """Bits of each film re-encoded as PNG does it, float64 (n,): 8-bit pixels, each row filtered, all by zlib.

    The filter of each row is the one of PNG's five with the least sum of absolute values, as libpng chooses it. The film's own
    file does not matter: it tells how the film was stored.

    >>> flat, noise = np.zeros((1, 1, 32, 32), np.uint8), np.random.default_rng(0).integers(0, 256, (1, 1, 32, 32), np.uint8)
    >>> bool(compressed_bits(flat)[0] < 200), bool(compressed_bits(noise)[0] > 8000)
    (True, True)
    """
    bits = [8 * len(zlib.compress(_filtered(film_CYX), ZLIB_LEVEL)) for film_CYX in _films(films)]
    return np.asarray(bits, np.float64)


def nats(bits: Array) -> Array:
    """Bits in nats."""
    return np.asarray(bits * math.log(2))


def _films(films: Patches) -> Any:
    for rows in in_order(len(films), BATCH):
        yield from np.rint(_grey(films[rows]) * 255).astype(np.uint8)


def _grey(films_BCYX: Array) -> Array:
    """Grey values in [0, 1], float64."""
    if films_BCYX.dtype.kind == "u":
        return np.asarray(films_BCYX / float(np.iinfo(films_BCYX.dtype).max))
    return np.clip(films_BCYX.astype(np.float64), 0.0, 1.0)


def _filtered(film_CYX: Array) -> bytes:
    """PNG's filters 0 to 4 (none, left, above, mean, Paeth) of every row of every channel, the smallest of each row."""
    planes = film_CYX.astype(np.int16)
    left, above, corner = (np.zeros_like(planes) for _ in range(3))
    left[..., 1:], above[:, 1:], corner[:, 1:, 1:] = planes[..., :-1], planes[:, :-1], planes[:, :-1, :-1]
    distances = np.stack([np.abs(above - corner), np.abs(left - corner), np.abs(left + above - 2 * corner)])
    paeth = np.choose(distances.argmin(0), [left, above, corner])
    guesses = np.stack([np.zeros_like(planes), left, above, (left + above) // 2, paeth])
    rest_GCYX = (planes - guesses).astype(np.uint8)
    cost_GCY = np.abs(rest_GCYX.view(np.int8).astype(np.int32)).sum(-1)
    kind_CY = cost_GCY.argmin(0)
    chosen_CYX = np.take_along_axis(rest_GCYX, kind_CY[None, ..., None], 0)[0]
    return bytes(np.concatenate([kind_CY[..., None].astype(np.uint8), chosen_CYX], -1))
