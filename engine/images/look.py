"""Look: what a child process tells of a file: it opens the file, because a damaged one may crash its reader.

A slide whose opening crashes is looked at once more, window by window of the check of its levels: a window that crashes says
nothing about a level, and the run finds the crashing tiles later and masks them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import CorruptError, SlideError, TileError
from ...stores.cache import cache, cached, is_copied
from ...stores.files import read_json, write_json
from ...stores.foreign import foreign, kind_of_fault
from ...stores.frame import Array, Box
from ...stores.slides.cohort import SlideEntry
from ...stores.slides.file_marks import fingerprint
from ...stores.slides.level_check import LevelCheck, true_levels
from ...stores.slides.pixels import Pixels
from ...stores.slides.reader import open_slide
from ...version import VERSION
from ..pipeline.record import digest
from ..workers.child import Child, GoneError, Say, all_of, each

Item = list[Any]
"""[path, micrometres a pixel or None, image inside the file or ""] of one image, as JSON values."""
Look = Callable[[list[Item]], list[Any]]
"""Answers for each item what its child told, or the GoneError of the child."""
Window = list[Any]
"""[level, start, stop] of a box that the check of levels reads, as JSON values."""

MAX_PARALLEL_COPIES = 4
"""Slides that are copied at the same time."""
INSPECTION_VERSION = 5
"""Version of what a look at a file states."""
OPEN_LIMIT_SECONDS = 120.0
"""Time limit for opening an image, in seconds."""
WINDOW_LIMIT_SECONDS = 60.0
"""Time limit for reading one window, in seconds."""
MAX_CRASHING_WINDOWS = 8
"""Crashing windows of one slide, at most; beyond that the slide is rejected."""


def looks_at(entries: Iterable[SlideEntry], mpp: float | None, look: Look) -> list[Any]:
    """What `look` answers of each file: its properties as JSON values, or a GoneError."""
    entries = list(entries)
    if any(is_copied(entry.path) for entry in entries):
        with ThreadPoolExecutor(MAX_PARALLEL_COPIES) as pool:
            return list(pool.map(lambda entry: _look_at_copy(entry, mpp, look), entries))
    return look([[os.fspath(entry.path), entry.mpp or mpp, entry.part] for entry in entries])


def _look_at_copy(entry: SlideEntry, mpp: float | None, look: Look) -> Any:
    """Look at a slide that must be copied first; the copying has no time limit.

    The result is stored beside the copies, so that a resumed run need not copy slides that it has finished.
    """
    if not is_copied(entry.path):
        return look([[os.fspath(entry.path), entry.mpp or mpp, entry.part]])[0]
    try:
        mark = fingerprint(entry.path)
        key = digest(str(entry.path), mark, entry.mpp or mpp, entry.part, VERSION, INSPECTION_VERSION)
        path = cache().folder / f"{key}.look"
        with suppress(FileNotFoundError, CorruptError):
            return read_json(path)
        with cached(entry.path, mark) as copy:
            answer = look([[os.fspath(copy), entry.mpp or mpp, entry.part]])[0]
    except SlideError as error:
        return {"error": [error.message, error.code]}
    if isinstance(answer, dict):
        write_json(path, answer)
    return answer


def look_at_slides(items: list[Item]) -> list[Any]:
    answers = each(inspect_slides_in_child, items, OPEN_LIMIT_SECONDS)
    return [
        _look_past_crashes(item, answer) if isinstance(answer, GoneError) else answer
        for item, answer in zip(items, answers, strict=True)
    ]


def look_at_volumes(items: list[Item]) -> list[Any]:
    return each(inspect_volumes_in_child, items, OPEN_LIMIT_SECONDS)


def look_at_films(items: list[Item]) -> list[Any]:
    return each(count_films_in_child, items, OPEN_LIMIT_SECONDS)


def count_films_in_child(items: list[Any], say: Say) -> None:
    all_of(_counted, items, say)


def _counted(item: Item) -> dict[str, Any]:
    """Number of films in a file [path, None, part], from its header, or the error on opening it, as JSON values."""
    from ...stores.films.reader import count_films

    path, _, part = item
    try:
        with foreign(
            lambda why: SlideError(f"{Path(path).name}: its header is damaged ({kind_of_fault(why)}).", "E_MALFORMED")
        ):
            return {"films": count_films(SlideEntry("", Path(path), Path(path).name, part=part))}
    except SlideError as error:
        return {"error": [error.message, error.code]}


def _look_past_crashes(item: Item, fate: GoneError) -> Any:
    """The answer of a child that leaves out the windows whose reading ended the children before it, or its fate."""
    crashing: list[Window] = []
    while len(crashing) < MAX_CRASHING_WINDOWS:
        reading: Window | None = None
        try:
            with Child(inspect_watched_slide_in_child, [*item, crashing], alone=True) as child:
                while True:
                    word, value = child.hear(OPEN_LIMIT_SECONDS if reading is None else WINDOW_LIMIT_SECONDS)
                    if word == "done":
                        return value
                    reading = value
        except GoneError as error:
            if reading is None or reading in crashing:  # the opening itself crashes
                return error
            crashing.append(reading)
    return fate


def inspect_slides_in_child(items: list[Item], say: Say) -> None:
    all_of(lambda item: _inspected(open_slide, item, _of_slide), items, say)


def inspect_watched_slide_in_child(request: list[Any], say: Say) -> None:
    """One slide [path, mpp, part, crashing windows]: says each window of the check of levels before it reads it."""
    *item, crashing = request
    check = _watched(crashing, say)
    say("done", _inspected(lambda path, mpp, part: open_slide(path, mpp, part, check), item, _of_slide))


def _watched(crashing: list[Window], say: Say) -> LevelCheck:
    """The check of levels that says what it reads, and takes crashing windows for lost ones."""

    def check(pixels: Pixels) -> tuple[tuple[int, ...], tuple[str, ...]]:
        def read(box: Box, level: int) -> Array:
            window = [level, list(box.start), list(box.stop)]
            if window in crashing:
                raise TileError(f"{box} of level {level} holds a tile whose decoding ends the process or never ends.")
            say("reading", window)
            values = pixels.read(box, level)
            say("reading", None)
            return values

        return true_levels(pixels, read)

    return check


def _of_slide(slide: Any) -> dict[str, Any]:
    return {"corner": slide.corner, "levels": slide.levels, "cut": slide.cut}


def inspect_volumes_in_child(items: list[Any], say: Say) -> None:
    def more(volume: Any) -> dict[str, Any]:
        return {"affine": volume.canonical_affine, "labels": volume.labels}

    all_of(lambda item: _inspected(lambda path, mpp, part: _volume(path, part), item, more), items, say)


def _inspected(
    open_image: Callable[[Path, float | None, str], Any],
    item: list[Any],
    more: Callable[[Any], dict[str, Any]] = lambda image: {},
) -> dict[str, Any]:
    """Properties of a file [path, mpp, part], with `more` of the open image, or the error on opening it, as JSON values."""
    path, mpp, part = item
    try:
        with open_image(Path(path), mpp, part) as image:
            return {
                "channels": image.channels,
                "dtype": image.dtype,
                "background": image.background,
                "reader": image.reader,
                "notes": image.notes,
                **more(image),
                "frames": [asdict(frame) for frame in image.frames],
            }
    except SlideError as error:
        return {"error": [error.message, error.code]}


def _volume(path: Path, part: str) -> Any:
    from ...stores.volumes.reader import open_volume

    return open_volume(path, part)
