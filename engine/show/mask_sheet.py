"""mask_sheet: small pictures of slides with the outline of their tissue mask and what of them is lost, twelve on a sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import (
    DPI,
    MARGIN,
    QUIET_INK,
    TITLE_HEIGHT,
    draw_pixels,
    house_style,
    new_figure,
    save,
    write_inches,
    write_title,
)
from .orientation import SideLetter, draw_letters
from .palette import Colour
from .picture import Cells, Picture

SIDE, GAP, TEXT_HEIGHT, COLUMNS = 2.3, 0.2, 0.64, 4
"""Inches along a picture, between pictures, and of the text below one; pictures in a row."""
PER_SHEET = 12
"""Pictures on a sheet, at most."""
OUTLINE = (0, 190, 60)
OUTLINE_WIDTH = 2
"""Pixels."""
TINT = 0.6
"""Weight of the colour over what is lost."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskedSlide:
    """A slide as a small picture with its mask drawn on it."""

    name: str
    rgb: Array
    """uint8 (y, x, 3), at most `SIDE` inches along its longer side."""
    text: str
    """How much of it is tissue, and what of it is lost."""
    letters: tuple[SideLetter, ...] = ()
    """Letters of the sides of planes of a volume."""


def draw_mask(
    picture: Picture, mask: Cells, *, tissue: int, lost: Mapping[int, Colour], side: int = round(SIDE * DPI)
) -> Array:
    """The picture, uint8 (y, x, 3), `side` pixels along its longer side, with the outline of the cells of value `tissue`.

    `lost` has the values of what is lost, and the colours that it is tinted in.
    """
    from PIL import Image
    from scipy import ndimage

    height, width = picture.rgb.shape[:2]
    size = tuple(max(1, round(n * side / max(height, width))) for n in (width, height))
    rgb = np.asarray(Image.fromarray(picture.rgb).resize(size, reducing_gap=3.0), np.float32)
    values = np.asarray(Image.fromarray(mask.over(picture).astype(np.uint8)).resize(size, Image.Resampling.NEAREST))
    for value, colour in lost.items():
        at = values == value
        rgb[at] = (1 - TINT) * rgb[at] + TINT * np.array(colour)
    inside = values == tissue
    rgb[inside & ~ndimage.binary_erosion(inside, iterations=OUTLINE_WIDTH)] = OUTLINE
    return rgb.round().astype(np.uint8)


@house_style()
def mask_sheet(
    path: Path, slides: Sequence[MaskedSlide], *, title: str, most: int = COLUMNS, side: float = SIDE
) -> Path:
    """Up to twelve slides, `most` a row and of `side` inches at most, with names and texts below them."""
    columns = min(most, len(slides))
    top = MARGIN + TITLE_HEIGHT
    width = max(4.0, 2 * MARGIN + columns * (side + GAP) - GAP)
    heights = [max(s.rgb.shape[0] for s in slides[i : i + columns]) / DPI for i in range(0, len(slides), columns)]
    edges = np.cumsum([top, *(height + TEXT_HEIGHT + GAP for height in heights)])
    figure = new_figure(width, float(edges[-1]) - GAP + MARGIN)
    write_title(figure, title)
    for i, slide in enumerate(slides):
        left, edge, below = MARGIN + i % columns * (side + GAP), float(edges[i // columns]), heights[i // columns]
        height, across = (n / DPI for n in slide.rgb.shape[:2])
        draw_pixels(figure, left, edge, (across, height), rgb=slide.rgb, gid=f"mask-{i}")
        draw_letters(figure, left, edge, (across, height), letters=slide.letters)
        write_inches(figure, left, edge + below + 0.06, slide.name, fontsize=8.5, weight="bold")
        for line, text in enumerate(lines_of(slide.text)):
            write_inches(figure, left, edge + below + 0.25 + 0.14 * line, text, fontsize=8, color=QUIET_INK)
    return save(figure, path)


def lines_of(text: str) -> list[str]:
    """Shares in lines that stay below their picture: of three, two stand in the second line.

    >>> lines_of("tissue 34.1 %, unreadable 2.0 %, absent 1.0 %")
    ['tissue 34.1 %,', 'unreadable 2.0 %, absent 1.0 %']
    """
    first, _, rest = text.partition(", ")
    return [f"{first},", rest] if "," in rest else [text]
