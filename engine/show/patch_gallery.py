"""patch_gallery: for each cluster a row of patches: those nearest its centre, random ones, and those nearest its border."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...stores.frame import Array
from .figure import (
    DPI,
    MARGIN,
    QUIET_INK,
    TITLE_HEIGHT,
    draw_pixels,
    draw_swatch,
    house_style,
    new_figure,
    save,
    shortened,
    write_inches,
    write_title,
)
from .legend import Legend
from .numbers import percent
from .palette import colour, hexadecimal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS_OF_PATCHES = ("central", "random", "at the border")
SIDE, GAP, GROUP_GAP, HEAD, ROW_GAP = 0.86, 0.05, 0.22, 1.75, 0.14
"""Inches: a patch, between patches, between kinds, the names of clusters, between rows."""


@dataclass(frozen=True, slots=True)
class PatchKinds:
    """Patches of one cluster, uint8 (n, y, x, 3) each."""

    central: Array
    """Nearest first."""
    random: Array
    border: Array
    """Nearest to another cluster first."""


@house_style()
def patch_gallery(
    path: Path, patches: Mapping[int, PatchKinds], *, legend: Legend, spacing: float | None = None
) -> Path:
    """One row a cluster, three groups of patches; `spacing` in µm a pixel."""
    rows = [(entry, astuple(patches[entry[0]])) for entry in legend if entry[0] in patches]
    count = max((len(stack) for _, kinds in rows for stack in kinds), default=1)
    group = count * (SIDE + GAP) + GROUP_GAP
    top = MARGIN + TITLE_HEIGHT + 0.25
    figure = new_figure(HEAD + 3 * group + 2 * MARGIN, top + max(1, len(rows)) * (SIDE + ROW_GAP) + MARGIN)
    patch_um = rows[0][1][0].shape[2] * spacing if rows and spacing else 0.0
    width_text = (
        f" · each {f'{patch_um:.0f} µm' if patch_um < 1000 else f'{patch_um / 1000:.3g} mm'} wide" if patch_um else ""
    )
    write_title(figure, "Patches of each cluster" + width_text)
    for g, kind in enumerate(KINDS_OF_PATCHES):
        write_inches(figure, MARGIN + HEAD + g * group, top - 0.22, kind, fontsize=9, color=QUIET_INK)
    for r, ((label, name, share), kinds) in enumerate(rows):
        place = top + r * (SIDE + ROW_GAP)
        draw_swatch(figure, MARGIN, place, (0.09, SIDE), colour=hexadecimal(colour(label)))
        write_inches(figure, MARGIN + 0.2, place + SIDE / 2 - 0.02, shortened(name, 17), weight="bold", va="bottom")
        write_inches(figure, MARGIN + 0.2, place + SIDE / 2 + 0.05, percent(share), fontsize=9, color=QUIET_INK)
        for g, stack in enumerate(kinds):
            _draw(figure, stack, MARGIN + HEAD + g * group, place, f"{label}-{g}")
    return save(figure, path)


def _draw(figure: Figure, stack: Array, left: float, top: float, name: str) -> None:
    """The patches side by side, as one image: hundreds of them are drawn in the time of a few."""
    from PIL import Image

    if not len(stack):
        return
    side, step = round(SIDE * DPI), round((SIDE + GAP) * DPI)
    strip = np.full((side, len(stack) * step, 3), 255, np.uint8)
    for i, patch in enumerate(stack):
        strip[:, i * step : i * step + side] = np.asarray(Image.fromarray(patch).resize((side, side)))
    draw_pixels(figure, left, top, (strip.shape[1] / DPI, SIDE), rgb=strip, gid=f"patches-{name}")
