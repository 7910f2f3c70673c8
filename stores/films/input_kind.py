"""Films as a kind of input: DICOM files, pictures, and arrays of many films, each array one entry however many it holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ...errors import SlideError
from ..lists.sheet import LIST_SUFFIXES
from ..remote import ObjectPath
from ..slides.cohort import Cohort, find
from ..slides.input_kind import why_no_input
from ..slides.picture_reader import PICTURE_FORMATS
from ..slides.walk import InputKind, Seen
from ..volumes.file_head import DICOM, NPZ, content_of, first_bytes
from .stack_columns import column_name, part_of
from .stacks import arrays_of, stack_shapes

FILM_SUFFIXES = frozenset({
    ".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".jp2", ".bmp", ".webp", ".npz", ".npy",
})  # fmt: skip
"""Suffixes of films: a file with one is always an entry, and is rejected with a reason if it holds no film."""
FILM_CONTENTS = (DICOM, NPZ, "npy", "TIFF", *PICTURE_FORMATS)


def find_films(spec: str | Path | Sequence[str | Path]) -> Cohort:
    """The films of a folder (with its subfolders), a glob, a file, a list (CSV, TSV, XLSX), or several of these.

    An array of many films is one entry; `count_films` says how many, `columns_of` what stands beside it of each. Raises
    NoInputError, with the files that were seen, if there are none, and SettingsError for an invalid list.
    """
    return find(spec, FILM_INPUT)


def _content(file: Path) -> str:
    return content_of(first_bytes(file))


def _gather(files: Sequence[Path]) -> Iterator[Seen]:
    owned = _columns([file for file in files if file.suffix.lower() == ".npy"])
    for file in files:
        if file in owned:
            yield Seen(file, f"is a column of {owned[file]}")
        elif why := why_no_input(file, FILM_INPUT, FILM_CONTENTS, _content):
            yield Seen(file, why)
        else:
            yield from _expand(file)


def _columns(files: Sequence[Path]) -> dict[Path, str]:
    """npy file -> name of the stack among the files that it says something of."""
    arrays = {}
    for file in files:
        if isinstance(file, ObjectPath):  # a look costs a request
            continue
        try:
            arrays[file.stem] = arrays_of(file)[""]
        except (SlideError, KeyError):
            continue  # it is an entry, and rejected with its reason
    stacks = stack_shapes(arrays)
    return {
        file: f"{stack}.npy"
        for file in files
        if file.stem in arrays and file.stem not in stacks
        for stack, shape in stacks.items()
        if arrays[file.stem][0][:1] == shape[:1] and column_name(stack, file.stem, stacks)
    }


def _expand(path: Path) -> Iterator[Seen]:
    """Entries of a path that the user named: each stack of an npz file, else the file itself."""
    if path.name.lower().endswith(".npz"):
        try:
            names = list(stack_shapes(arrays_of(path)))
        except SlideError:
            names = []
        for name in names:
            split = part_of(name)
            yield Seen(path, part=name, extra={"split": split} if split else {})
        if names:
            return
    yield Seen(path)  # a file without films is rejected by name, with its reason


def _closed(name: str, siblings: Collection[str], children: Collection[str]) -> str:
    return ""


FILM_INPUT = InputKind(
    word="film",
    suffixes=FILM_SUFFIXES,
    gather=_gather,
    expand=_expand,
    closed=_closed,
    lists=LIST_SUFFIXES,
    roles=frozenset({"path", "subject", "site", "part"}),
)
