"""rejected_pictures: small pictures of files that a run rejected, of a coarse level that can still be read.

A rejected file may be anything that lay in the folder: a label, a scanned form, a report with a name. So only the reader of the
run's own images opens it, and only what can hardly be such a picture is drawn (see rejected_file.py).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

from ...stores.inside import is_inside
from ...stores.remote import ObjectPath, to_path
from ..pipeline.documents import find_document, read_run
from ..pipeline.image_documents import RejectedPictures
from ..pipeline.job import Job
from ..pipeline.record import Rejection, digest
from ..show.page import Thumbnail
from ..workers.child import GoneError, SilentError, each
from .rejected_file import PASSING, draw_in_child

MAX_PICTURES = 24
"""Files of which a picture is tried, at most."""
LIMIT_SECONDS = 20.0
"""Time limit for the picture of one file."""
NOT_TRIED = (GoneError.code, SilentError.code)
"""Reasons of rejections whose files are not opened again."""
NOT_OF_THE_KIND = ("E_NOT_A_SLIDE", "E_NOT_A_VOLUME", "E_NOT_A_FILM", "E_IS_VOLUME")
"""Reasons of rejections of files that are no images of the run's kind: they may be of anything."""

KEPT = "rejected_pictures"
"""Name of the document with what earlier reports found."""
Answer = dict[Literal["picture", "why"], str]


def rejected_pictures(job: Job[Any], rejections: Sequence[Rejection]) -> list[Thumbnail | str]:
    """Of each rejected image a picture, or why there is none."""
    found: list[Thumbnail | str] = []
    items: list[tuple[int, list[str]]] = []
    for i, rejection in enumerate(rejections):
        item = _file_of(job, rejection)
        found.append(item if isinstance(item, str) else "")
        if not isinstance(item, str):
            items.append((i, item))
    for i, _ in items[MAX_PICTURES:]:
        found[i] = f"not drawn: pictures of the first {MAX_PICTURES} only"
    items = items[:MAX_PICTURES]
    for (i, _), answer in zip(items, _answers(job, [item for _, item in items]), strict=True):
        is_drawn = "picture" in answer
        found[i] = (
            Thumbnail(answer["picture"], f"coarse picture of {rejections[i].name}") if is_drawn else answer["why"]
        )
    return found


def _answers(job: Job[Any], items: Sequence[list[str]]) -> list[Answer]:
    """What each file gives, by an earlier report or by opening it; what is found now is kept for later ones."""
    keys = [digest(*item) for item in items]
    before = find_document(job.folder, KEPT, RejectedPictures)
    known = dict(before.found) if before else {}
    new = {key: item for key, item in zip(keys, items, strict=True) if key not in known}
    for key, answer in zip(new, each(draw_in_child, list(new.values()), LIMIT_SECONDS) if new else [], strict=True):
        is_gone = isinstance(answer, GoneError)
        known[key] = {"why": f"no picture: the file cannot be read ({answer.code})"} if is_gone else answer
    kept = RejectedPictures(found={key: known[key] for key in keys if known[key].get("why") not in PASSING})
    if kept.found and kept != before:
        job.folder.write(KEPT, kept.model_dump(mode="json"))
    return [known[key] for key in keys]


def _file_of(job: Job[Any], rejection: Rejection) -> list[str] | str:
    """[kind, path, part, fingerprint] of the file of a rejected image, or why it is not opened.

    Documents of earlier versions have no path. A name is one for display, and may fit another file: that of a slide is tried
    where the file has the fingerprint of the rejected one.
    """
    if rejection.code in NOT_TRIED:
        return f"no picture: the file is not opened again ({rejection.code})"
    if rejection.code in NOT_OF_THE_KIND:
        return f"not drawn: the file is no {job.modality.noun} and may show anything ({rejection.code})"
    if job.modality.name == "sections" and not rejection.path:
        return "not drawn: a block, or a section of which the file is not recorded"
    path, part, mark = rejection.path, rejection.part, rejection.fingerprint
    if rejection.image:
        batch = job.slides.get(rejection.image)
        file = next((f for f in batch.films if f.name == rejection.name and f.total == 1), None) if batch else None
        if file is None:
            return "not drawn: one of several films of a file"
        path, part, mark = file.path, file.part, file.fingerprint
    if not path and mark:
        root = to_path(read_run(job.folder).input)
        path = os.fspath(root / rejection.name) if is_inside(rejection.name) else ""
    if path and not mark:
        return "no picture: the file could not be read when it was rejected"
    if not path:
        return "not drawn: it is not recorded which file it is"
    if isinstance(to_path(path), ObjectPath):
        return "not drawn: the file is in an object store"
    return [job.modality.input.name, path, part, mark]
