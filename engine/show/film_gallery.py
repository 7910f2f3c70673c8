"""film_gallery: films side by side, each with a line or two under it, and beside each a map of it where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import (
    MARGIN,
    QUIET_INK,
    TITLE_HEIGHT,
    draw_pixels,
    house_style,
    new_figure,
    save,
    shortened,
    write_inches,
    write_title,
)

SIDE, GAP, LINE = 1.25, 0.1, 0.17
"""Inches: a film, between films, a line of text."""
COLUMNS = 8
MAX_LENGTH = 22
"""Characters of a line."""


@dataclass(frozen=True, slots=True)
class ShownFilm:
    """A film of a gallery."""

    image: Array
    """(y, x) or (y, x, 3) uint8."""
    lines: tuple[str, ...]
    """Under the film: its name, its score ..."""
    evidence: Array | None = None
    """(y, x) in [0, 1], drawn over the film in a second picture; None without one."""


@house_style()
def film_gallery(path: Path, films: Sequence[ShownFilm], *, title: str, columns: int = COLUMNS) -> Path:
    """Rows of films in the order given."""
    double = any(film.evidence is not None for film in films)
    width = SIDE * (2 if double else 1)
    across = max(1, columns // (2 if double else 1))
    lines = max((len(film.lines) for film in films), default=0)
    rows = max(1, -(-len(films) // across))
    step = (width + GAP, SIDE + lines * LINE + 2 * GAP)
    top = MARGIN + TITLE_HEIGHT
    figure = new_figure(2 * MARGIN + min(across, max(1, len(films))) * step[0] + 1.2, top + rows * step[1] + MARGIN)
    write_title(figure, title)
    for i, film in enumerate(films):
        left, place = MARGIN + (i % across) * step[0], top + (i // across) * step[1]
        draw_pixels(figure, left, place, (SIDE, SIDE), rgb=_rgb(film.image), gid=f"film-{i}", smooth=True)
        if film.evidence is not None:
            picture = overlay(film.image, film.evidence)
            draw_pixels(figure, left + SIDE, place, (SIDE, SIDE), rgb=picture, gid=f"evidence-{i}", smooth=True)
        for number, line in enumerate(film.lines):
            text = shortened(line, MAX_LENGTH * (2 if double else 1))
            style = {} if number == 0 else {"color": QUIET_INK}
            write_inches(figure, left, place + SIDE + 0.04 + number * LINE, text, fontsize=7.5, **style)
    return save(figure, path)


def overlay(image: Array, evidence: Array) -> Array:
    """A film with its evidence in orange, (y, x, 3) uint8: the stronger, the less of the film is seen."""
    strength = np.clip(evidence, 0, 1)[..., None] * 0.85
    colour = np.array([230, 97, 1], np.float64)
    return np.asarray(np.rint(_rgb(image) * (1 - strength) + colour * strength), np.uint8)


def _rgb(image: Array) -> Array:
    pixels = np.asarray(image, np.uint8)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, -1)
