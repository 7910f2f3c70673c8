"""patch_gallery: for each cluster a row of the patches nearest to its centre."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...stores.frame import Array
from .figure import (
    MARGIN,
    QUIET_INK,
    TITLE_HEIGHT,
    draw_swatch,
    house_style,
    new_figure,
    panel,
    save,
    shortened,
    write_inches,
    write_title,
)
from .legend import Legend
from .numbers import percent
from .palette import colour, hexadecimal


@house_style()
def patch_gallery(path: Path, patches: Mapping[int, Array], *, legend: Legend, spacing: float | None = None) -> Path:
    """One row a cluster: the patches nearest its centre, uint8 (n, y, x, 3), nearest first; `spacing` in µm a pixel."""
    rows = [(entry, patches[entry[0]]) for entry in legend if len(patches.get(entry[0], ()))]
    count = max((len(p) for _, p in rows), default=1)
    side, gap, head = 0.86, 0.05, 1.75
    width = head + count * (side + gap) + 2 * MARGIN
    figure = new_figure(max(width, 6), MARGIN + TITLE_HEIGHT + max(1, len(rows)) * (side + 0.14) + MARGIN)
    patch_um = rows[0][1].shape[2] * spacing if rows and spacing else 0.0
    width_text = (
        f" · each {f'{patch_um:.0f} µm' if patch_um < 1000 else f'{patch_um / 1000:.3g} mm'} wide" if patch_um else ""
    )
    write_title(figure, "Patches nearest each centre" + width_text)
    for r, ((label, name, share), stack) in enumerate(rows):
        top = MARGIN + TITLE_HEIGHT + r * (side + 0.14)
        draw_swatch(figure, MARGIN, top, (0.09, side), colour=hexadecimal(colour(label)))
        write_inches(figure, MARGIN + 0.2, top + side / 2 - 0.02, shortened(name, 17), weight="bold", va="bottom")
        write_inches(figure, MARGIN + 0.2, top + side / 2 + 0.05, percent(share), fontsize=9, color=QUIET_INK)
        for i, patch in enumerate(stack):
            axes = panel(figure, MARGIN + head + i * (side + gap), top, (side, side))
            axes.imshow(patch, interpolation="antialiased", aspect="equal")
            axes.axis("off")
            axes.set_gid(f"patch-{label}-{i}")
    return save(figure, path)
