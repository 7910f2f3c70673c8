"""film_mark: a text that changes with a film's file, cheap enough for millions of them."""

from __future__ import annotations

from pathlib import Path

from ...errors import SlideError
from ..remote import ObjectPath
from ..slides.file_marks import file_mark, size_and_time
from .stack_columns import column_files


def film_mark(path: Path) -> str:
    """Size and time of a file (of an object size and tag), and of the npy files beside it that say something of its films.

    Raises SlideError (E_MISSING, E_UNREADABLE).
    """
    try:
        if isinstance(path, ObjectPath):
            return file_mark(path)
        return "+".join(size_and_time(file) for file in (path, *column_files(path)))
    except FileNotFoundError as error:
        raise SlideError(f"{path.name}: is gone; it was moved or deleted.", "E_MISSING") from error
    except OSError as error:
        raise SlideError(f"{path.name}: cannot be read ({error.strerror}).", "E_UNREADABLE") from error
