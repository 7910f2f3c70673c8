"""convert: reads a batch of films, prepares them to one side, and measures what a score could mistake for content.

A film that cannot be read is left out by its name and reason; its row is black and marked as unreadable.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import SlideError
from ....stores.array import StoredArray
from ....stores.cache import near
from ....stores.films.borders import exposed_box
from ....stores.films.film import Film
from ....stores.films.mark import film_mark
from ....stores.films.prepare import prepared
from ....stores.films.reader import films_of
from ....stores.foreign import foreign, kind_of_fault
from ....stores.frame import Array, Box
from ....stores.remote import to_path
from ....stores.slides.guarded import announced
from ...pipeline.job import Job
from ...pipeline.modality import Modality
from ...pipeline.record import FilmFile, ImageRecord
from ...pipeline.step import Step, once, per_image
from ...pipeline.unit import Outcome, Unit
from .layout import (
    IMAGES,
    PROPERTIES,
    batch_outputs,
    first_row,
    images_spec,
    layout_outputs,
    property_spec,
    write_layout,
)
from .settings import FilmSettings

FILMS, LAYOUT = "films", "layout"
PACK_LEVEL = 1
"""Level of zlib whose size of a prepared film, as differences along its rows, stands for its complexity."""
BORDER_SHARE = 0.02
"""Share of a film outside of its exposed field from which it is said."""
PASSING = "E_CHANGED"
"""Reason code that says nothing about a film: its file cannot be reached now, or is another one."""
MOST_NAMED = 3
_NUMBER = re.compile(r"\d[\d.,]*")


def film_steps(modality: Modality) -> tuple[Step, ...]:
    """The steps of the stage `convert`, for every run on films."""
    return (
        Step(FILMS, "read films", read_batch, per_image, settings=("side", "codec"), outputs=batch_outputs()),
        Step(LAYOUT, "close store", write_layout, once, outputs=layout_outputs(), cohort=True),
    )


def read_batch(job: Job[FilmSettings], unit: Unit) -> Outcome:
    """Read, prepare and measure the films of one batch.

    Raises SlideError (E_CHANGED) where a file cannot be reached any more: nothing of the batch is written, and --redo tries it
    again.
    """
    outcome = Outcome()
    record = job.slides[unit.slide]
    count, side = record.shape[:2]
    images = np.zeros((count, side, side), np.uint8)
    facts = {name: np.zeros(count, dtype) for name, dtype in PROPERTIES.items()}
    modalities: list[str] = []
    notes: dict[str, tuple[int, str, str]] = {}
    lost: list[str] = []
    with outcome.clock("read"):
        for row, (name, film) in enumerate(_films(job, record)):
            try:
                if isinstance(film, SlideError):
                    raise film
                with foreign(_damaged):
                    images[row], values = _measured(film, side)
            except SlideError as error:
                facts["unreadable"][row] = 1
                modalities.append("")
                outcome.rejected.append((f"{record.id}.{row}", name, error.code, error.message))
                lost += [f"{name}: {error.message}"] if error.code == PASSING else []
                continue
            modalities.append(film.facts.get("modality", ""))
            for fact, value in values.items():
                facts[fact][row] = value
            for note in (*film.notes, *_border(values["border"])):
                number, first, example = notes.get(kind_of_note(note), (0, name, note))
                notes[kind_of_note(note)] = (number + 1, first, example)
    if lost:
        raise SlideError(
            f"{len(lost)} of its films cannot be read any more ({'; '.join(lost[:MOST_NAMED])}). Restore their files, and run "
            "again with --redo.",
            PASSING,
        )
    for row, size in enumerate(_file_sizes(record)):
        facts["file_bytes"][row] = size
    first_film = first_row(job, record.id)
    with outcome.clock("write"):
        array = StoredArray(job.folder.films / IMAGES, images_spec(job, first_film + count))
        outcome.files.append(array.write(Box((first_film, 0, 0), (first_film + count, side, side)), images))
        for name, dtype in PROPERTIES.items():
            numbers = StoredArray(job.folder.films / name, property_spec(job, dtype, first_film + count))
            outcome.files.append(numbers.write(Box((first_film,), (first_film + count,)), facts[name]))
    outcome.facts.update(
        films=count,
        modality=[[name, len(list(run))] for name, run in groupby(modalities)],
        notes={kind: list(example) for kind, example in sorted(notes.items())},
    )
    return outcome


def _border(share: float) -> tuple[str, ...]:
    """A note on a film with borders."""
    return ("has a border or collimation outside of its exposed field, which is kept",) if share >= BORDER_SHARE else ()


def kind_of_note(note: str) -> str:
    """A note with # for numbers, so that films of which the same holds are counted together.

    >>> kind_of_note("states no range of its values; 12 bits hold its maximum")
    'states no range of its values; # bits hold its maximum'
    """
    return _NUMBER.sub("#", note)


def _films(job: Job[FilmSettings], record: ImageRecord) -> Iterator[tuple[str, Film | SlideError]]:
    """Name and content of each film of a batch, in order; a film that ends its process has an error."""
    crashing = {box.start[0] for _, box in job.crashing.get(record.id, ())}
    row = 0
    for file in record.films:
        films: Iterator[Film | SlideError] | None = None
        for index in range(file.first, file.first + file.count):
            if row in crashing:
                film: Film | SlideError = SlideError(
                    "decoding the film ends the process of its reader.", "E_CRASHES_READER"
                )
                films = None
            else:
                films = films or _of_file(file, index)
                with announced((0, Box((row, 0, 0), (row + 1, *record.shape[1:])))):
                    film = next(films)
            yield name_of(file, index), film
            row += 1


def name_of(file: FilmFile, index: int) -> str:
    """Name of a film: its file, and its number in a file of several."""
    return f"{file.name}[{index}]" if file.total > 1 else file.name


def _of_file(file: FilmFile, start: int) -> Iterator[Film | SlideError]:
    """The films of a file from number `start` on; where the file fails, its error for each film that is left."""
    path = to_path(file.path)
    index = start
    try:
        _check_unchanged(path, file)
        with near(path, file.fingerprint, alone=True) as local, foreign(_damaged):
            for film in films_of(local, file.part, start, file.first + file.count):
                index += 1
                yield film
        fault = SlideError("the file holds fewer films than it states.", "E_TRUNCATED")
    except SlideError as error:
        fault = error
    for _ in range(index, file.first + file.count):
        yield fault


def _check_unchanged(path: Path, file: FilmFile) -> None:
    """Raises SlideError (E_CHANGED) for a file that is not as it was when the run began."""
    try:
        mark = film_mark(path)
    except SlideError as error:
        raise SlideError(error.message, PASSING) from error
    if mark != file.fingerprint:
        raise SlideError("the file was changed after the run had begun.", PASSING)


def _damaged(why: str) -> SlideError:
    """A surprise of one file is its own: the others of the batch go on."""
    return SlideError(f"the file is damaged ({kind_of_fault(why)}).", "E_MALFORMED")


def _measured(film: Film, side: int) -> tuple[Array, dict[str, Any]]:
    """The prepared film, uint8 (side, side), and its properties.

    `packed_bytes` is the size of the prepared film, packed anew, whatever its own file was compressed by; `pixel_entropy` the
    mean over pixels of that of a coin which shows 1 with the pixel's grey value, in nats: what a Bernoulli likelihood costs in
    any case; `border` the share of the film outside of its exposed field.
    """
    from scipy.special import entr  # which every run that can have films would wait for

    image = np.rint(prepared(film.values, side) * 255).astype(np.uint8)
    grey = image / 255
    return image, {
        "mean_intensity": grey.mean(),
        "pixel_entropy": float((entr(grey) + entr(1 - grey)).mean()),
        "packed_bytes": len(zlib.compress(np.diff(image, prepend=np.uint8(0)).tobytes(), PACK_LEVEL)),
        "border": exposed_box(film.values).border_share,
    }


def _file_sizes(record: ImageRecord) -> Iterator[int]:
    """Bytes of each film's own file; 0 for films of a set, which share one."""
    for file in record.films:
        yield from [int(file.fingerprint.partition("-")[0]) if file.total == 1 else 0] * file.count
