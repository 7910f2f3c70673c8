"""Opening of films: the content of a file decides the reader; sets of any size are read film by film."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ...errors import SlideError
from ..slides.cohort import SlideEntry
from ..slides.file_head import head_of
from ..volumes.file_head import content_of
from . import dicom_films, pictures, stack_films, stacks
from .film import Film

Films = Iterator[Film | SlideError]


@dataclass(frozen=True, slots=True)
class FilmReader:
    """A row of the table of readers."""

    name: str
    accepts: Callable[[Path, bytes], bool]
    """(path, first bytes) -> whether this reader accepts the file."""
    count: Callable[[Path, str], int]
    """(path, part) -> films, from headers alone."""
    films: Callable[[Path, str, int, int], Films]
    """(path, part, start, stop) -> films, or the errors of single ones; raises SlideError for the file as a whole."""


FILM_READERS = (
    FilmReader("dicom", dicom_films.accepts, dicom_films.count_dicom, dicom_films.dicom_films),
    FilmReader("npz", stacks.is_npz, stack_films.count_stack, stack_films.stack_films),
    FilmReader("npy", stacks.is_npy, stack_films.count_stack, stack_films.stack_films),
    FilmReader("picture", pictures.accepts, pictures.count_picture, pictures.picture_films),
)
"""All readers; the first that accepts a file reads it."""


def count_films(entry: SlideEntry) -> int:
    """Films of an entry, from headers alone. Raises SlideError with a reason code."""
    return _reader(entry.path).count(entry.path, entry.part)


def films_of(path: Path, part: str = "", start: int = 0, stop: int | None = None) -> Films:
    """Films [start, stop) of a file, one at a time, all of them by default; a film that is lost comes as its SlideError.

    Raises SlideError where nothing of the file can be read: E_NOT_A_FILM, E_DICOM, E_TRUNCATED, E_UNSUPPORTED_PIXELS, E_BOMB,
    E_TOO_BIG, E_MALFORMED, E_EMPTY, E_MISSING; E_NO_PART for films that it does not have.
    """
    reader = _reader(path)
    count = reader.count(path, part)
    last = count if stop is None else stop
    if not 0 <= start <= last <= count:
        raise SlideError(f"{path.name}: has {count} films; there are no {start} to {last}.", "E_NO_PART")
    return reader.films(path, part, start, last)


def read_film(path: Path, part: str = "", index: int = 0) -> Film:
    """One film of a file. Raises SlideError as `films_of` does."""
    with closing(films_of(path, part, index, index + 1)) as films:  # type: ignore[type-var]
        film = next(films)
    if isinstance(film, SlideError):
        raise film
    return film


def _reader(path: Path) -> FilmReader:
    if path.is_dir():
        raise SlideError(f"{path.name}: is a folder and no film; give the files in it.", "E_NOT_A_FILM")
    head = head_of(path)
    for reader in FILM_READERS:
        if reader.accepts(path, head):
            return reader
    kind = content_of(head)
    raise SlideError(
        f"{path.name}: is no film that is read: its first bytes are {kind}. DICOM, PNG, JPEG, TIFF, npy and npz are; an error "
        "page or a placeholder may have been saved under a film's name.",
        "E_NOT_A_FILM",
    )
