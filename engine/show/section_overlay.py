"""section_overlay: two sections over each other, before and after: a checkerboard, and the edges of one on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import MARGIN, QUIET_INK, draw_pixels, house_style, new_figure, save, shortened, write_inches, write_title

PANEL_WIDTH = 3.4
"""Inches of a panel."""
SQUARES = 8
"""Squares of a checkerboard along the longer side."""
EDGE_SHARE = 0.06
"""Share of the pixels that are drawn as edges."""
FILL, RIM = 255, 5
"""Value of pixels that a section does not cover, and pixels beside them without edges."""
EDGE_COLOUR = (0, 120, 255)


@dataclass(frozen=True, slots=True, eq=False)
class SectionPair:
    """A reference and a moving section as it lies and as it is registered, all on the reference's pixels, uint8 (y, x, 3)."""

    heading: str
    reference: Array
    before: Array
    after: Array


def checkerboard(one: Array, other: Array, squares: int = SQUARES) -> Array:
    """Squares of two pictures (y, x, 3) by turns.

    >>> checkerboard(np.zeros((2, 2, 3)), np.ones((2, 2, 3)), 2)[..., 0]
    array([[0., 1.],
           [1., 0.]])
    """
    side = max(1, -(-max(one.shape[:2]) // squares))
    y, x = np.indices(one.shape[:2]) // side
    return np.where(((y + x) % 2 == 0)[..., None], one, other)


def edges_on(one: Array, other: Array) -> Array:
    """The picture `one` with the strongest edges of `other` drawn on it, but for the rim of what `other` covers."""
    from scipy import ndimage

    grey = ndimage.gaussian_filter(other.mean(-1, dtype=np.float32), 1.5)
    slope = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1))
    covered = ndimage.binary_erosion((other != FILL).any(-1), iterations=RIM, border_value=1)
    slope *= covered
    limit = max(float(np.quantile(slope, 1 - EDGE_SHARE)), 1e-3)
    return np.where((slope >= limit)[..., None], np.array(EDGE_COLOUR, one.dtype), one)


@house_style()
def draw_section_pair(path: Path, pair: SectionPair) -> Path:
    """Four panels: checkerboards before and after, and edges of the moving section on the reference before and after."""
    panels: Sequence[tuple[str, Array]] = (
        ("Checkerboard, before", checkerboard(pair.reference, pair.before)),
        ("Checkerboard, after", checkerboard(pair.reference, pair.after)),
        ("Its edges on the reference, before", edges_on(pair.reference, pair.before)),
        ("Its edges on the reference, after", edges_on(pair.reference, pair.after)),
    )
    height = PANEL_WIDTH * pair.reference.shape[0] / pair.reference.shape[1]
    figure = new_figure(2 * MARGIN + 2 * PANEL_WIDTH + 0.2, 2 * MARGIN + 0.5 + 2 * (height + 0.35))
    write_title(figure, shortened(pair.heading, 80))
    for n, (text, rgb) in enumerate(panels):
        left = MARGIN + (n % 2) * (PANEL_WIDTH + 0.2)
        top = MARGIN + 0.5 + (n // 2) * (height + 0.35)
        write_inches(figure, left, top, text, fontsize=9, color=QUIET_INK)
        draw_pixels(figure, left, top + 0.22, (PANEL_WIDTH, height), rgb=rgb, gid=f"{pair.heading}-{n}", smooth=True)
    return save(figure, path)
