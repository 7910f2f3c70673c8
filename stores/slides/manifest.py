"""Manifest: a CSV of slides. Everything wrong with it is found and said at once."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import SettingsError
from ..remote import place, real
from .spacing import number

KNOWN = ("path", "mpp", "site", "group")
"""Columns with a meaning; all others are carried along."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a CSV of slides."""

    path: Path
    mpp: float | None = None
    """Micrometres a pixel; None where the column is absent or empty."""
    site: str = ""
    group: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    """All other columns, as text."""


def read_manifest(path: Path) -> list[Row]:
    """The rows of a CSV; paths are relative to the CSV. Raises SettingsError (E_MANIFEST) that lists all problems."""
    text = _text(path)
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
    lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    names = [_column(cell) for cell in (lines[0][1] if lines else [])]
    problems = [f"column {name!r} appears twice" for name in sorted({n for n in names if n and names.count(n) > 1})]
    if "path" not in names:
        problems.append(f"column 'path' is missing; there are {', '.join(map(repr, names)) or 'no columns'}")
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for line, cells in lines[1:] if "path" in names else []:
        if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
            problems.append(f"line {line}: {len(cells)} cells under {len(names)} columns")
            continue
        values = dict(zip(names, (cell.strip() for cell in cells), strict=False))
        row, wrong = _row(values, path.parent)
        problems += [f"line {line}: {what}" for what in wrong]
        if row is not None:
            key = real(row.path)
            if key in seen:
                problems.append(f"line {line}: {values['path']!r} is the same file as in line {seen[key]}")
            seen.setdefault(key, line)
            rows.append(row)
    if problems:
        raise SettingsError(
            f"{path}: {len(problems)} problem{'s' if len(problems) > 1 else ''} in the list of slides, so it is not clear "
            "what to work on. Correct:\n" + "\n".join(f"  - {problem}" for problem in problems),
            "E_MANIFEST",
        )
    return rows


def _column(cell: str) -> str:
    name = cell.strip()
    return name.lower() if name.lower() in KNOWN else name


def _row(values: dict[str, str], folder: Path) -> tuple[Row | None, list[str]]:
    """A row, or None, and what is wrong with it."""
    given = values.get("path", "")
    if not given:
        return None, ["the path is empty"]
    if "\0" in given:
        return None, [f"{given!r} is no path"]
    own = "://" in given or Path(given).expanduser().is_absolute()
    path, wrong = place(given if own else folder / given), []
    mpp = number(values.get("mpp"))
    if mpp is not None and math.isnan(mpp):
        wrong.append(f"mpp {values['mpp']!r} is no number of micrometres a pixel")
    if not path.exists():
        wrong.append(f"{given!r} is not there (looked for {path})")
        return None, wrong
    extra = {name: value for name, value in values.items() if name and name not in KNOWN}
    return Row(path, mpp, values.get("site", ""), values.get("group", ""), extra), wrong


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
