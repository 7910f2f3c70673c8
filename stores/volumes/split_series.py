"""Split series: a DICOM series whose slices lie in several folders is one volume, and its path is the folder above them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import SlideError
from ..remote import ObjectPath
from ..slides.cohort import SlideEntry, slide_id
from .dicom_reader import series_files
from .input_kind import VOLUME_INPUT
from .series import header, slices_of

_MARK = re.compile(r"[0-9a-f]{12}")
"""A part that is `mark_of` the UID of a series."""


def joined(entries: Sequence[SlideEntry], root: Path) -> tuple[list[SlideEntry], list[str]]:
    """(entries in which every split series stands once, a line of text for each series that lies in several folders).

    Folders whose slices have no place in common are parts of one volume; others hold copies, or another volume under the
    same UID, and stay apart. Series of a list stay as the list has them.
    """
    split: dict[str, list[SlideEntry]] = {}
    for entry in entries:
        if _is_series(entry):
            split.setdefault(entry.part, []).append(entry)
    whole, notes = {}, []
    for part, found in split.items():
        if len(found) < 2:
            continue
        are_parts = _have_own_places(found)
        if are_parts:
            whole[part] = _above(found, root)
        what = (
            "it is read as one volume"
            if are_parts
            else "their slices are at the same places, so each is read by itself"
        )
        notes.append(f"a DICOM series lies in {len(found)} folders ({_names(found)}): {what}")
    return list(_once(entries, whole)), notes


def _is_series(entry: SlideEntry) -> bool:
    """Whether an entry is a series of a folder that was found, and not named by a list."""
    listed = entry.subject or entry.site or entry.extra
    return not listed and _MARK.fullmatch(entry.part) is not None and not isinstance(entry.path, ObjectPath)


def _have_own_places(entries: Sequence[SlideEntry]) -> bool:
    """Whether no two folders have a slice at one place, and all slices are of one study and size."""
    places: set[tuple[float, ...]] = set()
    kinds = set()
    for entry in entries:
        try:
            files = series_files(entry.path, entry.part)
            slices = [one for file in files for one in slices_of(file, header(file))]
        except SlideError:
            return False
        own = {tuple(round(v, 3) for v in one.position) for one in slices}
        kinds |= {(one.study, one.rows, one.columns) for one in slices}
        if places & own:
            return False
        places |= own
    return len(kinds) == 1


def _once(entries: Sequence[SlideEntry], whole: dict[str, SlideEntry]) -> Iterator[SlideEntry]:
    placed = set()
    for entry in entries:
        if entry.part not in whole or not _is_series(entry):
            yield entry
        elif entry.part not in placed:
            placed.add(entry.part)
            yield whole[entry.part]


def _above(entries: Sequence[SlideEntry], root: Path) -> SlideEntry:
    """The entry of the folder above those of `entries`."""
    first = entries[0]
    path = Path(os.path.commonpath([entry.path for entry in entries]))
    place = Path(os.path.relpath(path, root)).as_posix()
    name = f"{path.name if place == '.' else place}/{first.part}"
    return replace(first, path=path, name=name, id=slide_id(place, part=first.part, kind=VOLUME_INPUT))


def _names(entries: Sequence[SlideEntry]) -> str:
    names = sorted(entry.path.name for entry in entries)
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
