"""reconstructions: volumes beside their reconstructions by a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import MARGIN, QUIET_INK, draw_pixels, house_style, new_figure, save, write_inches, write_title
from .orientation import draw_letters, plane_letters
from .short_names import distinct_names


@dataclass(frozen=True, slots=True, eq=False)
class ReconstructedVolume:
    """A volume and its reconstruction, both (z, y, x) in [0, 1]."""

    name: str
    rmse: float
    before: Array
    after: Array
    sided: bool = True
    """Whether it is known which side is which, so that planes have letters."""


@house_style()
def draw_reconstructions(path: Path, pairs: Sequence[ReconstructedVolume], *, spacing: tuple[float, ...]) -> Path:
    """One column per volume: three middle planes, the volume above, its reconstruction below."""
    side, gap = 1.35, 0.06
    extents = [n * s for n, s in zip(pairs[0].before.shape, spacing, strict=True)]
    scale = side / max(extents)
    plane_height = max(extents) * scale
    across = 3 * (side + gap) + 0.2
    columns = min(2, len(pairs))
    rows = -(-len(pairs) // columns)
    figure = new_figure(2 * MARGIN + columns * across, MARGIN + 0.4 + rows * (2 * (plane_height + gap) + 0.45))
    write_title(figure, "Volumes and their reconstructions")
    short = distinct_names((pair.name for pair in pairs), 34)
    for number, pair in enumerate(pairs):
        left = MARGIN + number % columns * across
        top = MARGIN + 0.45 + number // columns * (2 * (plane_height + gap) + 0.45)
        heading = f"{short[pair.name]} · rmse {pair.rmse:.1%}"
        write_inches(figure, left, top - 0.05, heading, fontsize=9, color=QUIET_INK)
        for line, volume in enumerate((pair.before, pair.after)):
            for axis in range(3):
                plane = np.take(volume, volume.shape[axis] // 2, axis)[::-1]
                size = [e * scale for i, e in enumerate(extents) if i != axis]
                corner = (left + axis * (side + gap), top + 0.14 + line * (plane_height + gap))
                grey = (np.clip(plane, 0, 1) * 255).astype(np.uint8)[..., None].repeat(3, -1)
                gid = f"plane-{number}-{line}-{axis}"
                draw_pixels(figure, *corner, (size[1], size[0]), rgb=grey, gid=gid, smooth=True)
                if pair.sided:
                    draw_letters(figure, *corner, (size[1], size[0]), letters=plane_letters(axis))
    return save(figure, path)
