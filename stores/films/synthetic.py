"""synthetic: chest films that are drawn, normal or with an opacity in a lung: for demonstrations, tests and benchmarks.

They are no model of disease: what a score finds on them says that it works, and nothing about real films.
"""

from __future__ import annotations

import numpy as np

from ..frame import Array

OPACITY = 0.28
"""Grey value that an opacity adds at its middle."""


def draw_film(side: int, draw: np.random.Generator, *, abnormal: bool = False) -> Array:
    """One film (side, side), float32 in [0, 1], bright where the body absorbs.

    >>> film = draw_film(64, np.random.default_rng(0))
    >>> film.shape, film.dtype, bool(film[32, 32] > film[32, 20])  # the spine is brighter than a lung
    ((64, 64), dtype('float32'), True)
    """
    grid = np.linspace(-1, 1, side, dtype=np.float32)
    tilt, shift = draw.normal(0, 0.04), draw.normal(0, 0.04, 2)
    y = grid[:, None] * (1 + draw.normal(0, 0.04)) - shift[0]
    x = grid[None] * (1 + draw.normal(0, 0.05)) - shift[1]
    y, x = y + tilt * x, x - tilt * y
    film = 0.55 * _inside(x / 0.92, (y - 0.15) / 1.15, 8)
    lungs = np.zeros_like(film)
    for sign in (-1, 1):
        width = 0.33 + draw.normal(0, 0.015)
        lungs = np.maximum(lungs, _inside((x - sign * 0.43) / width, (y + 0.02) / (0.66 + draw.normal(0, 0.02)), 10))
    film -= 0.34 * lungs
    film += 0.22 * _inside(x / 0.1, y / 2, 6)  # spine
    film += 0.24 * _inside((x - 0.12) / (0.3 + draw.normal(0, 0.03)), (y - 0.28) / 0.34, 8)  # heart
    ribs = 0.5 + 0.5 * np.cos(2 * np.pi * (5.5 * y + 1.1 * np.abs(x) ** 1.5 + draw.uniform()))
    film += 0.05 * ribs * lungs
    film += 0.03 * lungs * _smooth_noise(side, draw)
    if abnormal:
        place = draw.choice([-1, 1]) * draw.uniform(0.34, 0.5), draw.uniform(-0.3, 0.4)
        size = draw.uniform(0.1, 0.2)
        film += OPACITY * lungs * np.exp(-(((x - place[0]) / size) ** 2 + ((y - place[1]) / (1.3 * size)) ** 2))
    film = film * (1 + draw.normal(0, 0.03)) + 0.08 + draw.normal(0, 0.01, film.shape)
    return np.asarray(np.clip(film, 0, 1), np.float32)


def _inside(x: Array, y: Array, sharpness: float) -> Array:
    """1 inside the ellipse x² + y² = 1, 0 outside of it, with a soft edge."""
    return np.asarray(1 / (1 + np.exp(np.clip(sharpness * (x * x + y * y - 1) * 2, -30, 30))), np.float32)


def _smooth_noise(side: int, draw: np.random.Generator) -> Array:
    """Noise of about a twelfth of the film's side, in units of its standard deviation."""
    import cv2

    coarse = draw.normal(0, 1, (12, 12)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))
