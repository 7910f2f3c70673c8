"""Stack films: the films of npy and npz files; one range of values serves a whole stack."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...errors import SlideError
from ..frame import Array
from .film import Film, constant_notes
from .grey import grey_of
from .stacks import FilmStack, stack_of, stored_films
from .value_range import OVERSHOOT, ValueRange, robust_range, stated_range

PROBED_FILMS = 256
"""First films of a stack that decide what is white in all of it, where its type does not."""


def count_stack(path: Path, part: str) -> int:
    """Films of a stack, from the header of its array. Raises SlideError."""
    return stack_of(path, part).shape[0]


def stack_films(path: Path, part: str, start: int, stop: int) -> Iterator[Film | SlideError]:
    """Films [start, stop) of a stack. Raises SlideError for a file without it."""
    stack = stack_of(path, part)
    common = _common_range(stack)
    for film in stored_films(stack, start, stop):
        if isinstance(film, SlideError):
            yield film
            continue
        try:
            yield _film(stack, film, common)
        except SlideError as error:
            yield error


def _film(stack: FilmStack, samples: Array, common: ValueRange | None) -> Film:
    plane, notes = grey_of(stack.path.name, samples)
    if plane.dtype.kind == "f" and not np.isfinite(plane).all():
        raise SlideError(f"{stack.path.name}: a film has values that are no finite numbers.", "E_UNSUPPORTED_PIXELS")
    chosen = common
    low, high = float(plane.min()), float(plane.max())
    slack = OVERSHOOT if plane.dtype.kind == "f" else 0.0
    if chosen is not None and not (chosen.low - slack <= low and high <= chosen.high + slack):
        chosen = stated_range(low, high, plane.dtype)
        notes.append(f"has values beyond those of the first {PROBED_FILMS} films of its stack: its range is its own")
    if chosen is None:
        chosen = robust_range(plane, "its type states no range of values")
    notes += [chosen.note] if chosen.note else []
    facts = {"modality": "", "bits": str(8 * plane.dtype.itemsize), "shape": f"{plane.shape[0]} x {plane.shape[1]}"}
    values = chosen.apply(plane)
    return Film(values, (*notes, *constant_notes(values)), facts)


def _common_range(stack: FilmStack) -> ValueRange | None:
    if stack.dtype.kind == "b" or stack.dtype == np.uint8:
        return stated_range(0, 1, stack.dtype)
    status = stack.path.stat()
    return _probed(stack, status.st_size, status.st_mtime_ns)


@lru_cache(64)
def _probed(stack: FilmStack, size: int, time: int) -> ValueRange | None:
    """The range of the first films of a stack, in a file of this size and time; None where only percentiles can say."""
    films = stored_films(stack, 0, min(PROBED_FILMS, stack.shape[0]))
    ends = [(float(film.min()), float(film.max())) for film in films if not isinstance(film, SlideError)]
    finite = [pair for pair in ends if np.isfinite(pair).all()]
    if not finite:
        return None
    return stated_range(min(low for low, _ in finite), max(high for _, high in finite), stack.dtype)
