"""Manifest: a list of slides or volumes, a row an image. All of its problems are reported at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..lists.cells import read_number
from ..lists.file_names import FileNames, FoundFile
from ..lists.image_list import count, named, read_list
from ..lists.sheet import check_problems
from ..lists.spellings import says_same
from ..remote import ObjectPath, real
from .walk import InputKind, named_like

SUFFIXES_OF_PARTS = frozenset({".dcm", ".dicom", ".ima", ".img", ".img.gz"})
"""Suffixes of files of which several form one image."""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One row of a list of images."""

    path: Path
    exists: bool
    """Whether there is a file; a row without one is an image that is rejected by its name."""
    mpp: float | None = None
    """Micrometres a pixel; None where the column is absent or empty."""
    site: str = ""
    subject: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    """All other columns, as text."""
    part: str = ""
    """The image inside the file or folder."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The rows of a list of images, and what is to be told of it."""

    rows: tuple[ManifestRow, ...]
    notes: tuple[str, ...]
    """What the columns were taken for, how cells were read, and files beside the list's that no row names."""
    warnings: tuple[str, ...]
    """Rows without a file."""


def read_manifest(path: Path, kind: InputKind) -> Manifest:
    """The rows of a list; paths are relative to it, and found in other spellings of accents, separators and suffixes too.

    Raises SettingsError (E_MANIFEST) that lists all problems: cells that cannot be meant, files named twice that
    have different values, or fewer than half
    of the rows naming a file that exists.
    """
    table = read_list(path, kind.roles | kind.carried)
    problems, respelt = [*table.problems, *table.lacks("path")], []
    files = FileNames(path.parent, kind.suffixes)
    rows: list[ManifestRow] = []
    absent: list[tuple[int, str, Path]] = []
    first_rows: dict[tuple[str, str], tuple[int, ManifestRow]] = {}
    repeated: list[str] = []
    for line, values in table.rows if "path" in table.headings else ():
        cell = values.get("path", "")
        if not cell or "\0" in cell:
            problems.append(f"line {line}: {f'{cell!r} is no path' if cell else 'the path is empty'}")
            continue
        found = files.find(cell)
        if found.respelt:
            respelt.append(f"{cell} -> {found.path.name}")
        if not found.exists:
            absent.append((line, cell, found.path))
        row, row_problems = _row(values, found, kind)
        problems += [f"line {line}: {what}" for what in row_problems]
        first_line, first = first_rows.setdefault((real(row.path), row.part), (line, row))
        if first is row:
            rows.append(row)
        elif differing := _differing(first, row):
            problems.append(f"line {line}: {cell!r} is the same file as in line {first_line}, with another {differing}")
        else:
            repeated.append(f"line {line}, as line {first_line}")
    if problems or 2 * len(absent) > len(rows):
        problems += [
            f"line {line}: {named([cell])} does not exist (looked for {place})" for line, cell, place in absent
        ]
    check_problems(path, problems)
    warnings = [*_absent(path, absent, rows)]
    if repeated:
        warnings.append(
            f"{path.name}: rows that say the same twice are left out: {count(len(repeated), 'row')}: {named(repeated)}"
        )
    spacings = [values.get("mpp", "") for _, values in table.rows] if "mpp" in kind.roles else []
    notes = (*table.notes, *_spacing_notes(path, spacings), *_notes(path, rows, respelt, kind))
    return Manifest(tuple(rows), notes, tuple(warnings))


def _differing(one: ManifestRow, other: ManifestRow) -> str:
    """The first column in which two rows of one file differ; empty where they say the same, whatever their spellings."""
    if one.mpp != other.mpp:
        return "mpp"
    values, others = ({"site": row.site, "subject": row.subject, **row.extra} for row in (one, other))
    return next((name for name, value in values.items() if not says_same(name, value, others.get(name, ""))), "")


def _row(values: Mapping[str, str], found: FoundFile, kind: InputKind) -> tuple[ManifestRow, list[str]]:
    """(row, its problems)."""
    mpp = read_number(values.get("mpp", "")) if "mpp" in kind.roles else None
    mpp = None if mpp == 0 else mpp  # as databases export what they do not know
    is_unread = mpp is not None and math.isnan(mpp)
    extra = {name: value for name, value in values.items() if name not in kind.roles}
    words = {role: values.get(role, "") if role in kind.roles else "" for role in ("site", "subject", "part")}
    row = ManifestRow(found.path, found.exists, mpp, extra=extra, **words)
    return row, [f"mpp {values['mpp']!r} is no number of micrometres a pixel"] if is_unread else []


def _spacing_notes(path: Path, cells: Sequence[str]) -> Iterator[str]:
    """Which spacings were read otherwise than they are written."""
    numbers = {cell: number for cell in cells if (number := read_number(cell)) is not None}
    if zeros := [cell for cell in cells if numbers.get(cell) == 0]:
        yield (
            f"{path.name}: mpp: {count(len(zeros), 'cell')} of 0 taken for missing, as no pixel has that size: the spacing is "
            "that of --mpp, or of the file"
        )
    if read := [f"{cell} -> {number:.12g}" for cell, number in numbers.items() if number and not _is_float(cell)]:
        yield f"{path.name}: mpp: read as numbers: {count(len(read), 'spelling')}: {named(read)}"


def _is_float(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _absent(path: Path, absent: Sequence[tuple[int, str, Path]], rows: Sequence[ManifestRow]) -> Iterator[str]:
    if absent:
        cells = named([cell for _, cell, _ in absent])
        yield f"{path.name}: {len(absent)} of {len(rows)} rows name no file that exists: {cells}"


def _notes(path: Path, rows: Iterable[ManifestRow], respelt: Sequence[str], kind: InputKind) -> Iterator[str]:
    if respelt:
        yield f"{path.name}: found in another spelling: {count(len(respelt), 'file')}: {named(respelt)}"
    if beside := _unlisted(rows, kind):
        where = f"{count(len(beside), 'file')} beside its {kind.word}s"
        yield f"{path.name}: in no row, and no part of the run: {where}: {named(beside)}"


def _unlisted(rows: Iterable[ManifestRow], kind: InputKind) -> list[str]:
    """Names of files with a suffix of this kind that lie beside those of a list, on disks, and that no row names.

    Files of which several form one image, and hidden ones, do not count.
    """
    rows = [row for row in rows if row.exists and not isinstance(row.path, ObjectPath)]
    listed = {real(row.path) for row in rows}
    mentioned = {Path(value).name for row in rows for value in row.extra.values()}
    suffixes = kind.suffixes - SUFFIXES_OF_PARTS
    folders = sorted({row.path.parent for row in rows})
    beside = [path for folder in folders for path in sorted(folder.iterdir()) if named_like(suffixes, path)]
    return [p.name for p in beside if p.name[0] != "." and p.name not in mentioned and real(p) not in listed]
