"""evidence_overlay: where a network finds its evidence: planes of a volume, or a slide, and its evidence in colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...stores.frame import Array, Frame
from .figure import MARGIN, QUIET_INK, draw_pixels, house_style, new_figure, save, shortened, write_inches, write_title
from .orientation import SideLetter, draw_letters
from .picture import Picture
from .triptych import triptych

STRONGEST = 0.75
"""Opacity of the strongest evidence."""
PANEL_WIDTH = 4.2
"""Inches of a panel: three planes, or a slide."""
LEVELS = 255


@dataclass(frozen=True, slots=True, eq=False)
class EvidencePanel:
    """One image and its evidence, both as pixels."""

    heading: str
    rgb: Array
    """uint8 (y, x, 3)."""
    evidence: Array
    """(y, x), 0 to 1."""
    letters: tuple[SideLetter, ...] = ()
    """Letters of the sides of planes of a volume."""


def planes_of(
    heading: str,
    values: Array,
    heat: Array,
    frame: Frame,
    on: Frame,
    *,
    top: float | None = None,
    sided: bool = True,
) -> EvidencePanel:
    """Three planes of a volume (z, y, x) on `frame` through the strongest evidence; `heat` lies on the frame `on`.

    `top` is the evidence that is drawn strongest; by default the image's own 99.5th percentile. `sided` as of `triptych`.
    """
    low, high = np.percentile(values, (1, 99.5))
    grey = ((values.astype(np.float32) - low) / max(high - low, 1e-6) * 255).clip(0, 255).astype(np.uint8)
    levels = (_relative(heat, top) * LEVELS).round().astype(np.uint8)
    peak = np.unravel_index(int(np.argmax(heat)), heat.shape) if heat.any() else tuple(n // 2 for n in heat.shape)
    centre = [o + (int(i) + 0.5) * s for o, i, s in zip(on.origin, peak, on.spacing, strict=True)]
    picture, cells = triptych(grey, frame, levels, on, centre=centre, sided=sided)
    return EvidencePanel(heading, picture.rgb, cells.labels / LEVELS, picture.letters)


def slide_of(heading: str, picture: Picture, heat: Array, *, top: float | None = None) -> EvidencePanel:
    """A slide's picture, and evidence (y, x) over the same area, at any resolution; `top` as of `planes_of`."""
    height, width = picture.rgb.shape[:2]
    rows, columns = (
        ((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip((height, width), heat.shape, strict=True)
    )
    return EvidencePanel(heading, picture.rgb, _relative(heat, top)[np.ix_(rows, columns)])


@house_style()
def draw_evidence(path: Path, panels: Sequence[EvidencePanel], *, title: str = "Where the site is found") -> Path:
    """Two panels a row: the image, and the same image with its evidence on it."""
    from matplotlib import colormaps

    colours = colormaps["inferno"]
    columns = min(2, max(1, len(panels)))
    lines = [panels[i : i + columns] for i in range(0, len(panels), columns)]
    heights = [max(PANEL_WIDTH * p.rgb.shape[0] / p.rgb.shape[1] for p in line) for line in lines]
    total = sum(2 * h + 0.6 for h in heights)
    figure = new_figure(2 * MARGIN + columns * (PANEL_WIDTH + 0.3), MARGIN + 0.5 + total)
    write_title(figure, title)
    top = MARGIN + 0.5
    for line, height in zip(lines, heights, strict=True):
        for column, one in enumerate(line):
            left, high = MARGIN + column * (PANEL_WIDTH + 0.3), PANEL_WIDTH * one.rgb.shape[0] / one.rgb.shape[1]
            write_inches(figure, left, top, shortened(one.heading, 52), fontsize=9, color=QUIET_INK)
            alpha = STRONGEST * one.evidence[..., None]
            tinted = one.rgb * (1 - alpha) + 255 * np.asarray(colours(one.evidence))[..., :3] * alpha
            for row, rgb in enumerate((one.rgb, tinted.round().astype(np.uint8))):
                place = (left, top + 0.2 + row * (high + 0.05))
                gid = f"evidence-{one.heading}-{row}"
                draw_pixels(figure, *place, (PANEL_WIDTH, high), rgb=rgb, gid=gid, smooth=True)
                draw_letters(figure, *place, (PANEL_WIDTH, high), letters=one.letters)
        top += 2 * height + 0.6
    return save(figure, path)


def _relative(heat: Array, top: float | None) -> Array:
    """Evidence relative to `top`, or to its own 99.5th percentile where there is any, 0 to 1."""
    some = heat[heat > 0]
    strongest = float(np.percentile(some, 99.5)) if top is None and some.size else top or 1.0
    return np.asarray((heat / strongest).clip(0, 1), np.float32)
