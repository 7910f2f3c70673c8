"""group_means: the mean volume of each group, and its difference from all other subjects on a symmetric diverging scale.

```text
group 1 · 20 subjects   [z] [y] [x]   [z] [y] [x]   | +4 %   red: brighter than the others
group 2 · 23 subjects   [z] [y] [x]   [z] [y] [x]   |  0     white
                           mean        difference   | -4 %   blue: darker
```
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import MARGIN, QUIET_INK, draw_pixels, house_style, new_figure, save, shortened, write_inches, write_title
from .orientation import draw_letters, plane_letters

LOW_END, HIGH_END = np.array([33, 102, 172]), np.array([178, 24, 43])
"""Red, green and blue of -limit and +limit; the middle is white."""
SIDE, GAP, LABEL_WIDTH, SCALE_WIDTH = 1.25, 0.06, 1.7, 0.16
"""Inches: along a plane, between planes, of a group's name, of the colour scale."""


def diverging(values: Array, limit: float) -> Array:
    """Colours, uint8 (..., 3): blue at -limit, white at 0, red at +limit; values beyond have the colour of the end.

    >>> diverging(np.array([-2.0, 0.0, 1.0]), 1.0).tolist()
    [[33, 102, 172], [255, 255, 255], [178, 24, 43]]
    """
    part = np.clip(values / limit, -1, 1) if limit > 0 else np.zeros_like(values)
    end = np.where(part[..., None] < 0, LOW_END, HIGH_END)
    return np.asarray((255 + (end - 255) * np.abs(part)[..., None]).round().astype(np.uint8))


@house_style()
def group_means(
    path: Path,
    means: Array,
    differences: Array,
    *,
    names: Sequence[str],
    planes: tuple[int, ...],
    limit: float,
    spacing: tuple[float, ...],
    sided: bool = True,
) -> Path:
    """One line a group: three planes of its mean, and of its difference where there are several groups.

    `means` and `differences` are (groups, z, y, x) in shares of the volumes' range; `limit` is the end of the scale. Planes
    have letters where it is known of all volumes which side is which (`sided`).
    """
    several = len(means) > 1
    extents = [n * s for n, s in zip(means.shape[1:], spacing, strict=True)]
    scale = SIDE / max(extents)
    block, line = 3 * (SIDE + GAP), max(extents[:2]) * scale + 0.22
    width = 2 * MARGIN + LABEL_WIDTH + block * (2 if several else 1) + (0.25 + SCALE_WIDTH + 0.75 if several else 0)
    top = MARGIN + 0.75
    figure = new_figure(max(width, 6.5), top + max(len(means) * line, 1.6 if several else 0.0) + MARGIN)
    write_title(figure, "Mean volume of each group, and its difference from all others" if several else "Mean volume")
    left = MARGIN + LABEL_WIDTH
    write_inches(figure, left, top - 0.3, "mean", fontsize=9.5, color=QUIET_INK)
    if several:
        write_inches(figure, left + block + 0.2, top - 0.3, "difference", fontsize=9.5, color=QUIET_INK)
    for row, (name, mean, difference) in enumerate(zip(names, means, differences, strict=True)):
        write_inches(figure, MARGIN, top + row * line + 0.05, shortened(name, 24), fontsize=9.5)
        for axis, at in enumerate(planes):
            size = [e * scale for i, e in enumerate(extents) if i != axis]
            place = (left + axis * (SIDE + GAP), top + row * line)
            grey = (np.clip(np.take(mean, at, axis)[::-1], 0, 1) * 255).astype(np.uint8)[..., None].repeat(3, -1)
            draw_pixels(figure, *place, (size[1], size[0]), rgb=grey, gid=f"mean-{row}-{axis}", smooth=True)
            letters = plane_letters(axis) if sided else ()
            draw_letters(figure, *place, (size[1], size[0]), letters=letters)
            if several:
                colours = diverging(np.take(difference, at, axis)[::-1], limit)
                place = (place[0] + block + 0.2, place[1])
                draw_pixels(
                    figure, *place, (size[1], size[0]), rgb=colours, gid=f"difference-{row}-{axis}", smooth=True
                )
                draw_letters(figure, *place, (size[1], size[0]), letters=letters)
    if several:
        right, height = left + 2 * block + 0.4, 1.4
        steps = diverging(np.linspace(limit, -limit, 64), limit)[:, None]
        draw_pixels(figure, right, top, (SCALE_WIDTH, height), rgb=steps, gid="scale")
        for part, value in ((0.0, limit), (0.5, 0.0), (1.0, -limit)):
            text = "0" if not value else f"{'+' if value > 0 else '−'}{100 * abs(value):.3g} %"
            write_inches(figure, right + SCALE_WIDTH + 0.06, top + part * height - 0.07, text, fontsize=9)
    return save(figure, path)
