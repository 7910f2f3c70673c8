"""rejected_pictures: small pictures of files that a run rejected, of a coarse level that can still be read.

A child process reads them, since a damaged file may end the process that reads it, or never be read to its end.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ...stores.foreign import foreign, kind_of
from ...stores.frame import Array, Box
from ...stores.inside import is_inside
from ...stores.remote import ObjectPath, to_path
from ..pipeline.documents import read_run
from ..pipeline.job import Job
from ..show.page import Thumbnail
from ..show.thumbnail import thumbnail_source
from ..workers.child import GoneError, Say, SilentError, all_of, each

MAX_PICTURES = 24
"""Files of which a picture is tried, at most."""
LIMIT_SECONDS = 20.0
"""Time limit for the picture of one file."""
NOT_TRIED = (GoneError.code, SilentError.code)
"""Reasons of rejections whose files are not opened again."""
TOO_LARGE = "E_TOO_BIG"
"""Reason code of a file that is too large for a picture."""
MAX_CELLS = 1 << 25
"""Cells that are read for a picture, at most."""


def rejected_pictures(job: Job[Any], rows: Sequence[tuple[str, str, str]]) -> list[Thumbnail | str]:
    """Of each rejected file (name, reason code, message) a picture, or why there is none."""
    root = to_path(read_run(job.folder).input)
    found: list[Thumbnail | str] = [_reason(root, name, code) for name, code, _ in rows]
    tried = [i for i, reason in enumerate(found) if not reason]
    for i in tried[MAX_PICTURES:]:
        found[i] = f"not drawn: pictures of the first {MAX_PICTURES} only"
    tried = tried[:MAX_PICTURES]
    answers = each(draw_in_child, [os.fspath(root / rows[i][0]) for i in tried], LIMIT_SECONDS) if tried else []
    for i, answer in zip(tried, answers, strict=True):
        if isinstance(answer, GoneError):
            found[i] = f"no picture: the file cannot be read ({answer.code})"
        elif "error" in answer:
            why = "it is too large" if answer["error"] == TOO_LARGE else "the file cannot be read"
            found[i] = f"no picture: {why} ({answer['error']})"
        else:
            found[i] = Thumbnail(answer["picture"], f"coarse picture of {rows[i][0]}")
    return found


def _reason(root: Any, name: str, code: str) -> str:
    """Why a file is not opened; empty where it can be tried."""
    if code in NOT_TRIED:
        return f"no picture: the file is not opened again ({code})"
    if isinstance(root, ObjectPath):
        return "not drawn: the file is in an object store"
    if not is_inside(name):
        return "not drawn: the file lies outside of the input folder"
    return "" if (root / name).exists() else "no picture: no such file now"


def draw_in_child(items: list[Any], say: Say) -> None:
    all_of(_drawn, items, say)


def _drawn(path: str) -> dict[str, str]:
    """{"picture": `data:` URL} of a file, or {"error": reason code}, as JSON values."""
    code = "E_UNREADABLE"
    for read in (_of_slide, _of_volume, _of_film):
        try:
            with foreign(lambda why: SlideError(kind_of(why), "E_MALFORMED")):
                return {"picture": thumbnail_source(read(Path(path)))}
        except SlideError as error:
            code = error.code if read is _of_slide else code
    return {"error": code}


def _of_slide(path: Path) -> Array:
    """The coarsest level (channel, y, x), with background where it cannot be decoded; its spacing does not matter here."""
    from ...stores.slides.reader import open_slide
    from ...stores.slides.view import read_masked

    slide = open_slide(path, mpp=1.0)
    try:
        level, box = len(slide.frames) - 1, slide.frames[-1].box
        _check_size(box)
        pixels, lost = read_masked(slide, box, level)
        if sum(hole.size for hole in lost) >= box.size:
            raise SlideError("no tile of its coarsest level can be decoded.", "E_TRUNCATED")
        return pixels
    finally:
        slide.close()


def _of_volume(path: Path) -> Array:
    """The middle plane (1, y, x), up is anterior."""
    from ...stores.volumes.reader import open_volume

    volume = open_volume(path)
    try:
        box = volume.frames[0].box
        middle = box.shape[0] // 2
        plane = Box((middle, *box.start[1:]), (middle + 1, *box.stop[1:]))
        _check_size(plane)
        return np.asarray(volume.read(plane, 0))[:1, 0, ::-1]
    finally:
        volume.close()


def _of_film(path: Path) -> Array:
    """A film (1, y, x)."""
    from ...stores.films.reader import read_film

    return read_film(path).values[None]


def _check_size(box: Box) -> None:
    if box.size > MAX_CELLS:
        raise SlideError("its coarsest level is too large for a picture.", TOO_LARGE)
