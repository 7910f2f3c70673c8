"""convert: reads a batch of films, prepares them to one side, and measures what a score could mistake for content.

A film that cannot be read is left out by its name and reason; its row is black and marked as unreadable.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import SlideError
from ....stores.array import StoredArray
from ....stores.cache import near
from ....stores.films.borders import exposed_box
from ....stores.films.prepare import prepared
from ....stores.films.reader import Film, films_of
from ....stores.foreign import foreign
from ....stores.frame import Array, Box
from ....stores.remote import to_path
from ....stores.slides.file_marks import size_and_time
from ....stores.slides.guarded import announced
from ...pipeline.job import Job
from ...pipeline.modality import Modality
from ...pipeline.record import FilmFile, ImageRecord
from ...pipeline.step import Step, once, per_image
from ...pipeline.unit import Outcome, Unit
from .layout import IMAGES, PROPERTIES, batch_outputs, first_row, layout_outputs, write_layout
from .settings import FilmSettings

LAYOUT, FILMS = "layout", "films"
PACK_LEVEL = 1
"""Level of zlib whose size of a prepared film, as differences along its rows, stands for its complexity."""
BORDER_SHARE = 0.02
"""Share of a film outside of its exposed field from which it is said."""


def film_steps(modality: Modality) -> tuple[Step, ...]:
    """The steps of the stage `convert`, for every run on films."""
    return (
        Step(
            LAYOUT, "plan films", write_layout, once, settings=("side", "codec"), outputs=layout_outputs(), cohort=True
        ),
        Step(FILMS, "read films", read_batch, per_image, outputs=batch_outputs()),
    )


def read_batch(job: Job[FilmSettings], unit: Unit) -> Outcome:
    """Read, prepare and measure the films of one batch."""
    outcome = Outcome()
    record = job.slides[unit.slide]
    count, side = record.shape[:2]
    images = np.zeros((count, side, side), np.uint8)
    facts = {name: np.zeros(count, dtype) for name, dtype in PROPERTIES.items()}
    modalities: list[str] = []
    notes: Counter[str] = Counter()
    with outcome.clock("read"):
        for row, (name, film) in enumerate(_films(job, record)):
            if isinstance(film, SlideError):
                facts["unreadable"][row] = 1
                modalities.append("")
                outcome.rejected.append((f"{record.id}.{row}", name, film.code, film.message))
                continue
            modalities.append(film.facts.get("modality", ""))
            notes.update(film.notes)
            images[row], values = _measured(film, side)
            for fact, value in values.items():
                facts[fact][row] = value
            if values["border"] >= BORDER_SHARE:
                notes["has a border or collimation outside of the exposed field, which is kept"] += 1
    for row, size in enumerate(_file_sizes(record)):
        facts["file_bytes"][row] = size
    first = first_row(job, record.id)
    with outcome.clock("write"):
        array = StoredArray.open(job.folder.films / IMAGES)
        outcome.files.append(array.write(Box((first, 0, 0), (first + count, side, side)), images))
        for name in PROPERTIES:
            numbers = StoredArray.open(job.folder.films / name)
            outcome.files.append(numbers.write(Box((first,), (first + count,)), facts[name]))
    outcome.notices += [f"{number} films: {note}" for note, number in sorted(notes.items())]
    outcome.facts.update(films=count, modality=[[name, len(list(run))] for name, run in groupby(modalities)])
    return outcome


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
    return f"{file.name}[{index}]" if file.part or file.count > 1 or index else file.name


def _of_file(file: FilmFile, start: int) -> Iterator[Film | SlideError]:
    """The films of a file from number `start` on; where the file fails, its error for each film that is left."""
    path = to_path(file.path)
    index = start
    try:
        if mark_of(path) != file.fingerprint:
            raise SlideError("the file was changed after the run had begun: run again with --redo.", "E_CHANGED")
        with near(path, file.fingerprint) as local, foreign(_unreadable):
            for film in films_of(local, file.part, start, file.first + file.count):
                index += 1
                yield film
        fault = SlideError("the file holds fewer films than it states.", "E_TRUNCATED")
    except SlideError as error:
        fault = error
    for _ in range(index, file.first + file.count):
        yield fault


def _unreadable(why: str) -> SlideError:
    """A surprise of one file is its own: the others of the batch go on."""
    return SlideError(f"cannot be read ({why}).", "E_UNREADABLE")


def mark_of(path: Path) -> str:
    """Fingerprint of a film's file: size and time. Raises SlideError (E_MISSING, E_UNREADABLE)."""
    try:
        return size_and_time(path)
    except FileNotFoundError as error:
        raise SlideError(f"{path.name}: is gone; it was moved or deleted.", "E_MISSING") from error
    except OSError as error:
        raise SlideError(f"{path.name}: cannot be read ({error.strerror}).", "E_UNREADABLE") from error


def _measured(film: Film, side: int) -> tuple[Array, dict[str, Any]]:
    """The prepared film, uint8 (side, side), and its properties.

    `packed_bytes` is the size of the prepared film, packed anew, whatever its own file was compressed by; `pixel_entropy` that
    of its histogram, in bits; `border` the share of the film outside of its exposed field.
    """
    image = np.rint(prepared(film.values, side) * 255).astype(np.uint8)
    shares = np.bincount(image.ravel(), minlength=256) / image.size
    some = shares[shares > 0]
    return image, {
        "mean_intensity": image.mean() / 255,
        "pixel_entropy": float(-(some * np.log2(some)).sum()),
        "packed_bytes": len(zlib.compress(np.diff(image, prepend=np.uint8(0)).tobytes(), PACK_LEVEL)),
        "border": exposed_box(film.values).border_share,
    }


def _file_sizes(record: ImageRecord) -> Iterator[int]:
    """Bytes of each film's own file; 0 for films of a set, which share one."""
    for file in record.films:
        size = int(file.fingerprint.split("-")[0]) if not file.part and file.fingerprint[:1].isdigit() else 0
        yield from [size] * file.count
