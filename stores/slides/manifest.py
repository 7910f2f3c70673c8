"""Manifest: a CSV of slides or volumes. All of its problems are reported at once."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import SettingsError
from ..remote import real, to_path
from .spacing import parse_number
from .walk import InputKind

COMMON_COLUMNS = ("path", "mpp", "site")
"""Columns of every kind of input; each kind adds its own, and all other columns are kept as text."""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One row of a list of images."""

    path: Path
    mpp: float | None = None
    """Micrometres a pixel; None where the column is absent or empty."""
    site: str = ""
    group: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    """All other columns, as text."""
    part: str = ""
    """The image inside the file or folder."""


def read_manifest(path: Path, kind: InputKind) -> list[ManifestRow]:
    """The rows of a CSV; paths are relative to the CSV. Raises SettingsError (E_MANIFEST) that lists all problems."""
    lines, problems = rows_of(path, "path")
    rows: list[ManifestRow] = []
    first_lines: dict[tuple[str, str], int] = {}
    for line, values in lines:
        row, row_problems = _row(values, path.parent, kind)
        problems += [f"line {line}: {what}" for what in row_problems]
        if row is not None:
            key = real(row.path), row.part
            if key in first_lines:
                problems.append(f"line {line}: {values['path']!r} is the same file as in line {first_lines[key]}")
            first_lines.setdefault(key, line)
            rows.append(row)
    check_problems(path, problems, kind)
    return rows


def columns_of(path: Path) -> list[str]:
    """Names of the columns of a list."""
    return _table(path)[0]


def rows_of(path: Path, key: str) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    """((line, column -> cell) of each row of a list with the column `key`; problems of the table)."""
    names, lines = _table(path)
    problems = [f"column {name!r} appears twice" for name in sorted({n for n in names if n and names.count(n) > 1})]
    if key not in names:
        problems.append(f"column {key!r} is missing; there are {', '.join(map(repr, names)) or 'no columns'}")
    rows = []
    for line, cells in lines if key in names else []:
        if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
            problems.append(f"line {line}: {len(cells)} cells under {len(names)} columns")
            continue
        rows.append((line, dict(zip(names, (cell.strip() for cell in cells), strict=False))))
    return rows, problems


def check_problems(path: Path, problems: list[str], kind: InputKind) -> None:
    """Raises SettingsError (E_MANIFEST) that lists all problems, if there are any."""
    if problems:
        raise SettingsError(
            f"{path}: {len(problems)} problem{'s' if len(problems) > 1 else ''} in the list of {kind.word}s, so it is not "
            "clear what to work on. Correct:\n" + "\n".join(f"  - {problem}" for problem in problems),
            "E_MANIFEST",
        )


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Column names, and the cells of each line with its number."""
    text = _text(path)
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
    lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    return [_column(cell) for cell in (lines[0][1] if lines else [])], lines[1:]


def _column(cell: str) -> str:
    name = cell.strip()
    return name.lower() if name.lower() in (*COMMON_COLUMNS, "group", "subject", "part", "participant_id") else name


def _row(values: dict[str, str], folder: Path, kind: InputKind) -> tuple[ManifestRow | None, list[str]]:
    """(row or None, its problems)."""
    cell = values.get("path", "")
    if not cell:
        return None, ["the path is empty"]
    if "\0" in cell:
        return None, [f"{cell!r} is no path"]
    is_absolute = "://" in cell or Path(cell).expanduser().is_absolute()
    path, problems = to_path(cell if is_absolute else folder / cell), []
    mpp = parse_number(values.get("mpp"))
    if mpp is not None and math.isnan(mpp):
        problems.append(f"mpp {values['mpp']!r} is no number of micrometres a pixel")
    if not path.exists():
        problems.append(f"{cell!r} does not exist (looked for {path})")
        return None, problems
    roles = {
        role: column for column, role in kind.columns.items() if column in values
    }  # the last column of a role has it
    used_columns = (*COMMON_COLUMNS, *roles.values())
    extra = {name: value for name, value in values.items() if name and name not in used_columns}
    group, part = (values.get(roles.get(role, ""), "") for role in ("group", "part"))
    return ManifestRow(path, mpp, values.get("site", ""), group, extra, part), problems


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: the list of slides cannot be read ({error.strerror}).", "E_MANIFEST") from error
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path}: the list of slides is not text in UTF-8 (byte {error.start}); save it as CSV UTF-8.", "E_MANIFEST"
        ) from error
