"""TIFF images: which of several images in a TIFF is the slide, and which pages may be its levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...errors import SlideError
from .pixels import level_factor

COMPARABLE = 0.25
"""Smallest part of the largest image's pixels at which another image is named: it may be another section."""
IMAGES_NAMED = 8
_HALVINGS = tuple(2.0**n for n in range(1, 17))


def chosen_series(series: Sequence[Any], part: str, name: str) -> tuple[int, list[str]]:
    """As `chosen_image`, of the series of a TIFF; pages that are levels of the chosen one are no images of their own."""

    def levels(number: int) -> list[int]:
        own = {id(level) for level in levels_of(series, number)}
        return [i for i, one in enumerate(series) if id(one.levels[0]) in own]

    return chosen_image([_size(one) for one in series], [str(one.name) for one in series], part, name, levels)


def chosen_image(
    sizes: Sequence[tuple[int, int]],
    names: Sequence[str],
    part: str,
    name: str,
    levels: Callable[[int], Sequence[int]] = lambda number: (),
) -> tuple[int, list[str]]:
    """(number of the largest image of a file, or of the image `part`; notes on the others).

    Images have the numbers 0, 1 ... in the order of the file, and (height, width) `sizes`. `levels` says which of the others
    are levels of an image. Raises SlideError (E_NO_PART) for an unknown part.
    """
    areas = [height * width for height, width in sizes]
    named = [f"{i} ({width} x {height} pixels)" for i, (height, width) in enumerate(sizes)]
    if part:
        number = int(part) if part.isdecimal() else names.index(part) if part in names else -1
        if not 0 <= number < len(sizes):
            raise SlideError(
                f"{name}: has no image {part!r}. There are: {', '.join(named[:IMAGES_NAMED])}. Name one of them by its number.",
                "E_NO_PART",
            )
    else:
        number = areas.index(max(areas))
    own = levels(number)
    others = [i for i in range(len(sizes)) if i != number and i not in own]
    if not others:
        return number, []
    notes = [f"{len(others)} other images in the file (label, macro, thumbnail ...) are not read"]
    if large := [named[i] for i in others if areas[i] >= COMPARABLE * areas[number]]:
        notes.append(
            f"image {named[number]} is read; of comparable size: {', '.join(large[:IMAGES_NAMED])}; choose one with --part"
        )
    return number, notes


def levels_of(series: Sequence[Any], number: int) -> list[Any]:
    """The levels of an image, with pages of a plain TIFF of half its size, a quarter ..., as it does not link them."""
    own = series[number]
    levels = list(own.levels)
    if own.kind != "generic" or len(own.levels[0].pages) != 1:
        return levels
    finest = max((_size(own) for own in levels), key=lambda size: size[0])
    for i, other in enumerate(series):
        for level in other.levels if i != number and other.kind == "generic" else ():
            y, x = level_factor(finest, _size(level)) if min(_size(level)) > 0 else (0.0, 0.0)
            if len(level.pages) == 1 and y == x and y in _HALVINGS:
                levels.append(level)
    return levels


def _size(level: Any) -> tuple[int, int]:
    return int(level.keyframe.imagelength), int(level.keyframe.imagewidth)
