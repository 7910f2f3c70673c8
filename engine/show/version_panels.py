"""version_panels: images beside their harmonized versions, what they should look like where that is known, and the change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import MARGIN, QUIET_INK, draw_pixels, house_style, new_figure, save, shortened, write_inches, write_title
from .orientation import draw_letters, plane_letters

CHANGE = 0.3
"""Change that has the full colour, in units of the scale."""


@dataclass(frozen=True, slots=True, eq=False)
class ShownVersion:
    """One image: values (*axes) or (*axes, 3) for display in [0, 1], 0 black."""

    name: str
    rows: tuple[tuple[str, Array], ...]
    """(title, values) from above: the image, its version, perhaps the person's own scan at the target."""
    changes: tuple[tuple[str, Array], ...]
    """(title, difference) below: the version less the image, perhaps less the own scan; (*axes), in units of the scale."""
    spacing: tuple[float, ...]
    """Of the cells, by axis."""
    sided: bool = True
    """Whether it is known which side of a volume is which, so that planes have letters."""


@house_style()
def draw_versions(path: Path, shown: Sequence[ShownVersion]) -> Path:
    """One block for each image: its planes, row by row, and differences at the bottom (orange brighter, blue darker)."""
    axes = len(shown[0].spacing)
    planes = 3 if axes == 3 else 1
    side, gap, label = (1.5, 0.06, 1.5) if axes == 3 else (3.0, 0.06, 1.5)
    extents = [[n * s for n, s in zip(one.changes[0][1].shape, one.spacing, strict=True)] for one in shown]
    heights = [0.35 + (len(one.rows) + len(one.changes)) * (side + gap) for one in shown]
    figure = new_figure(2 * MARGIN + label + planes * (side + gap), 2 * MARGIN + 0.4 + sum(heights))
    write_title(figure, "Images and their harmonized versions")
    top = MARGIN + 0.45
    for number, one in enumerate(shown):
        write_inches(figure, MARGIN, top, shortened(one.name, 60), fontsize=9, color=QUIET_INK)
        lines = [(title, _grey(values, axes)) for title, values in one.rows]
        lines += [(title, _diverging(change / CHANGE)) for title, change in one.changes]
        for line, (title, rgb) in enumerate(lines):
            at = top + 0.25 + line * (side + gap)
            write_inches(figure, MARGIN, at + side / 2 - 0.08, shortened(title, 22), fontsize=9)
            for plane, (pixels, size) in enumerate(_planes(rgb, extents[number], side / max(extents[number]))):
                place = (MARGIN + label + plane * (side + gap), at + (side - size[1]) / 2)
                gid = f"version-{number}-{line}-{plane}"
                draw_pixels(figure, *place, size, rgb=pixels, gid=gid, smooth=True)
                if axes == 3 and one.sided:
                    draw_letters(figure, *place, size, letters=plane_letters(plane))
        top += heights[number]
    return save(figure, path)


def _planes(rgb: Array, extents: list[float], scale: float) -> list[tuple[Array, tuple[float, float]]]:
    if len(extents) == 2:
        return [(rgb, (extents[1] * scale, extents[0] * scale))]
    planes = []
    for axis in range(3):
        size = [e * scale for i, e in enumerate(extents) if i != axis]
        planes.append((np.take(rgb, rgb.shape[axis] // 2, axis)[::-1], (size[1], size[0])))
    return planes


def _grey(values: Array, axes: int) -> Array:
    bytes_ = (np.clip(values, 0, 1) * 255).astype(np.uint8)
    return bytes_ if bytes_.ndim > axes else bytes_[..., None].repeat(3, -1)


def _diverging(values: Array) -> Array:
    """White where nothing changes, orange where the version is brighter, blue where it is darker."""
    share = np.clip(np.abs(values), 0, 1)[..., None]
    ends = np.where(values[..., None] > 0, np.array([213, 94, 0]), np.array([0, 114, 178]))
    return np.asarray(255 + (ends - 255) * share).astype(np.uint8)
