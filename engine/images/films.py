"""inspect_films: the films of a cohort in batches, each an image of the run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import SlideError
from ...stores.cache import is_copied, near
from ...stores.films.mark import film_mark
from ...stores.slides.cohort import Cohort, SlideEntry
from ..pipeline.modality import films_in_batch
from ..pipeline.record import FilmFile, ImageRecord, InspectedCohort, Rejection, digest
from .look import look_at_films
from .opening import answer_of, printable, rejection_of


def inspect_films(cohort: Cohort, settings: Any) -> InspectedCohort:
    """Count the films of every file by its header, and divide them into batches; their pixels are read by `convert`."""
    files: list[FilmFile] = []
    rejected: dict[str, Rejection] = {}
    entries = sorted(cohort.entries, key=lambda entry: (entry.name, entry.part))
    for entry, look in zip(entries, _looks(entries), strict=True):
        try:
            files.append(_file(entry, look))
        except SlideError as error:
            rejected[entry.id] = rejection_of(entry, error, _mark(entry.path))
    side = settings.side
    batches: dict[str, ImageRecord] = {}
    first = 0
    for number, films in enumerate(_batches(files, films_in_batch(side))):
        record = _record(str(number), films, first, side, cohort)
        batches[record.id] = record
        first += record.shape[0]
    return InspectedCohort(
        1.0, batches, rejected, cohort.ignored, cohort.root, notes=cohort.notes, warnings=cohort.warnings
    )


def _mark(path: Path) -> str:
    try:
        return film_mark(path)
    except SlideError:
        return ""


def _looks(entries: list[SlideEntry]) -> Iterator[Any]:
    """What is told of each file: by a child process, or of one that is copied, by its copy."""
    here = [entry for entry in entries if not is_copied(entry.path)]
    items = [[os.fspath(entry.path), None, entry.part] for entry in here]
    answers = dict(zip((id(entry) for entry in here), look_at_films(items), strict=True))
    for entry in entries:
        if id(entry) in answers:
            yield answers[id(entry)]
            continue
        try:
            with near(entry.path, film_mark(entry.path), alone=True) as copy:
                (answer,) = look_at_films([[os.fspath(copy), None, entry.part]])
        except SlideError as error:
            answer = {"error": [error.message, error.code]}
        yield answer


def _file(entry: SlideEntry, look: Any) -> FilmFile:
    """The film file of an entry, from what a child process tells of it. Raises SlideError."""
    count = answer_of(entry, look)["films"]
    return FilmFile(
        name=printable(entry.name),
        path=str(entry.path.absolute()),
        fingerprint=film_mark(entry.path),
        part=entry.part,
        count=count,
        total=count,
        subject=entry.subject,
        site=entry.site,
        columns=dict(entry.extra),
    )


def _batches(files: Iterable[FilmFile], size: int) -> Iterator[list[FilmFile]]:
    """Files in batches of `size` films; a file of many films is divided.

    >>> ranges = [FilmFile("a", "/a", "", count=3), FilmFile("b", "/b", "", count=2)]
    >>> [[(f.name, f.first, f.count) for f in batch] for batch in _batches(ranges, 2)]
    [[('a', 0, 2)], [('a', 2, 1), ('b', 0, 1)], [('b', 1, 1)]]
    """
    batch: list[FilmFile] = []
    room = size
    for file in files:
        first, left = file.first, file.count
        while left:
            count = min(left, room)
            batch.append(replace(file, first=first, count=count))
            first, left, room = first + count, left - count, room - count
            if not room:
                yield batch
                batch, room = [], size
    if batch:
        yield batch


def _record(number: str, films: list[FilmFile], first: int, side: int, cohort: Cohort) -> ImageRecord:
    count = sum(film.count for film in films)
    shape = (count, side, side)
    return ImageRecord(
        id=number,
        name=f"films {first + 1:,} to {first + count:,}",
        path=str(cohort.root.absolute()),
        fingerprint=digest(*[[f.name, f.fingerprint, f.part, f.first, f.count] for f in films]),
        mpp=None,
        subject="",
        site="",
        columns={},
        reader="films",
        native_spacing=1.0,
        native_shape=shape,
        channels=1,
        dtype="uint8",
        background=0,
        shape=shape,
        spacing=(1.0, 1.0, 1.0),
        origin=(0.0, 0.0, 0.0),
        films=tuple(films),
    )
