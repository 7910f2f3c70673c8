"""palette: one colour per cluster, the same in maps, plots, NGFF labels and GeoJSON, whatever the number of clusters.

The first six are those of Okabe and Ito; the next fourteen were chosen greedily for their distance (CIEDE2000) to all
before them, to the pinks and purples of H&E, to white and to grey, as seen by normal and by dichromatic (Machado 2009)
eyes.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

FIXED_COLOURS: tuple[Colour, ...] = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (213, 94, 0),
    (86, 180, 233),
    (240, 228, 66),
    (135, 0, 45),
    (0, 0, 210),
    (135, 240, 225),
    (255, 105, 135),
    (165, 105, 255),
    (120, 75, 0),
    (255, 180, 150),
    (210, 0, 135),
    (0, 105, 75),
    (120, 0, 105),
    (120, 135, 75),
    (45, 210, 90),
    (0, 150, 165),
    (210, 0, 45),
)

_FURTHER_TONES = ((0.95, 0.62), (0.55, 0.88), (0.80, 0.42), (0.38, 0.70))
"""Saturation and value of the colours past the fixed ones, in turn."""


_CHOSEN: ContextVar[Mapping[int, Colour]] = ContextVar("chosen colours")


@contextmanager
def chosen_colours(colours: Mapping[int, Colour]) -> Iterator[None]:
    """In the `with` block, these clusters have these colours; the others keep theirs."""
    token = _CHOSEN.set(colours)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def colour(label: int) -> Colour:
    """The colour of cluster `label`, counted from 1.

    >>> colour(1)
    (0, 114, 178)
    """
    if label < 1:
        raise ValueError(f"clusters are counted from 1, got {label}: 0 means unlabelled and has no colour")
    if rgb := _CHOSEN.get({}).get(label):
        return rgb
    if label <= len(FIXED_COLOURS):
        return FIXED_COLOURS[label - 1]
    step = label - len(FIXED_COLOURS) - 1
    saturation, value = _FURTHER_TONES[step % len(_FURTHER_TONES)]
    red, green, blue = colorsys.hsv_to_rgb((0.07 + step * 0.61803398875) % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def palette(k: int) -> list[Colour]:
    """The colours of clusters 1 to k; a longer palette begins with the shorter one.

    >>> palette(14)[:3] == palette(3)
    True
    """
    return [colour(label) for label in range(1, k + 1)]


def hexadecimal(rgb: Colour) -> str:
    """The colour as matplotlib and CSS take it.

    >>> hexadecimal(colour(1))
    '#0072b2'
    """
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def ink(rgb: Colour) -> str:
    """Black or white, whichever reads better on the colour."""
    red, green, blue = rgb
    return "#111111" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"


def shades(name: str, count: int) -> list[list[int]]:
    """8-bit red, green and blue of `count` even steps of one of matplotlib's colour maps."""
    from matplotlib import colormaps

    colours = colormaps[name].resampled(count)(range(count))[:, :3]
    steps: list[list[int]] = (colours * 255).round().astype(int).tolist()
    return steps
