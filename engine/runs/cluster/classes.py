"""classes: names, colours and merges of clusters, from a CSV of the user."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

Classes = tuple[tuple[int, str, str, int], ...]
"""(cluster, name, colour, cluster that it is merged into) of each row; "" and 0 stand for no change."""
COLOUR = re.compile(r"#[0-9a-f]{6}")
MAX_NAME_LENGTH = 80


def read_classes(path: str | Path) -> Classes:
    """The rows of a CSV with the column cluster and any of name, colour (#rrggbb) and into; other columns are not read.

    Raises ValueError that names the row and both values.
    """
    from ....errors import SettingsError
    from ....stores.lists.headings import plain_heading
    from ....stores.lists.sheet import read_sheet

    try:
        sheet = read_sheet(Path(path), lambda cells: "cluster" in map(plain_heading, cells))
    except SettingsError as error:
        raise ValueError(f"classes: {path} cannot be read as a CSV ({error.message})") from error
    columns = {plain_heading(name): name for name in reversed(sheet.names)}
    if "cluster" not in columns or sheet.problems:
        faults = list(sheet.problems) or [f"has no column `cluster`; it has {', '.join(sheet.names) or 'no columns'}"]
        raise ValueError(f"classes: {path} {'; '.join(faults)}")
    rows = [(line, {plain: cells.get(name, "") for plain, name in columns.items()}) for line, cells in sheet.rows]
    classes = tuple(_classes(rows, path))
    numbers = [cluster for cluster, *_ in classes]
    for number in numbers:
        if numbers.count(number) > 1:
            raise ValueError(f"classes: {path} has {numbers.count(number)} rows of cluster {number}; one is needed")
    return classes


def _classes(rows: Iterable[tuple[int, Mapping[str, str]]], path: str | Path) -> Iterator[tuple[int, str, str, int]]:
    from ...show.spreadsheet import plain

    for line, row in rows:
        where = f"classes: {path}, line {line}"
        cluster, into = _number(row, "cluster", where), _number(row, "into", where)
        name, colour = plain(row.get("name", "")), row.get("colour", "").lower()
        if not cluster:
            raise ValueError(f"{where}: the cluster is empty")
        if len(name) > MAX_NAME_LENGTH or not name.isprintable():
            raise ValueError(f"{where}: the name {name[:MAX_NAME_LENGTH]!r} is too long or not printable")
        if colour and not COLOUR.fullmatch(colour):
            raise ValueError(f"{where}: the colour {colour!r} is not of the form #1f77b4")
        if into == cluster:
            raise ValueError(f"{where}: cluster {cluster} is merged into itself")
        yield cluster, name, colour, into


def _number(row: Mapping[str, str], column: str, where: str) -> int:
    text = row.get(column, "")
    if text and not (text.isdecimal() and 1 <= int(text) <= 255):
        raise ValueError(f"{where}: {column} {text!r} is no number of a cluster")
    return int(text) if text else 0
