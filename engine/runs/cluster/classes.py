"""classes: names, colours and merges of clusters, from a CSV of the user."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

Classes = tuple[tuple[int, str, str, int], ...]
"""(cluster, name, colour, cluster that it is merged into) of each row; "" and 0 stand for no change."""
COLOUR = re.compile(r"#[0-9a-f]{6}")
MAX_NAME_LENGTH = 80


def read_classes(path: str | Path) -> Classes:
    """The rows of a CSV with the column cluster and any of name, colour (#rrggbb) and into; other columns are not read.

    Raises ValueError that names the row and both values.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"classes: {path} cannot be read as a CSV ({error})") from error
    rows = csv.DictReader(text.splitlines())
    if "cluster" not in (rows.fieldnames or ()):
        raise ValueError(
            f"classes: {path} has no column `cluster`; it has {', '.join(rows.fieldnames or ()) or 'no columns'}"
        )
    classes = tuple(_classes(rows, path))
    numbers = [cluster for cluster, *_ in classes]
    for number in numbers:
        if numbers.count(number) > 1:
            raise ValueError(f"classes: {path} has {numbers.count(number)} rows of cluster {number}; one is needed")
    return classes


def _classes(rows: csv.DictReader[str], path: str | Path) -> Iterator[tuple[int, str, str, int]]:
    from ...show.spreadsheet import plain

    for line, row in enumerate(rows, start=2):
        where = f"classes: {path}, line {line}"
        cluster, into = _number(row, "cluster", where), _number(row, "into", where)
        name, colour = plain((row.get("name") or "").strip()), (row.get("colour") or "").strip().lower()
        if not cluster:
            raise ValueError(f"{where}: the cluster is empty")
        if len(name) > MAX_NAME_LENGTH or not name.isprintable():
            raise ValueError(f"{where}: the name {name[:MAX_NAME_LENGTH]!r} is too long or not printable")
        if colour and not COLOUR.fullmatch(colour):
            raise ValueError(f"{where}: the colour {colour!r} is not of the form #1f77b4")
        if into == cluster:
            raise ValueError(f"{where}: cluster {cluster} is merged into itself")
        yield cluster, name, colour, into


def _number(row: Mapping[str, str | None], column: str, where: str) -> int:
    text = (row.get(column) or "").strip()
    if text and not (text.isdecimal() and 1 <= int(text) <= 255):
        raise ValueError(f"{where}: {column} {text!r} is no number of a cluster")
    return int(text) if text else 0
