"""classes: names, colours and merges of clusters, from a CSV of the user."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

LOG = logging.getLogger("tile_engine")
Classes = tuple[tuple[int, str, str, int], ...]
"""(cluster, name, colour, cluster that it is merged into) of each row; "" and 0 stand for no change."""
COLOUR = re.compile(r"#[0-9a-f]{6}")
MAX_NAME_LENGTH = 80
HEADINGS = {
    "cluster": "cluster", "name": "name", "colour": "colour", "color": "colour", "into": "into", "mergeinto": "into",
    "mergedinto": "into",
}  # fmt: skip
"""Plain heading -> the column that it means."""
OF_THE_RUN = frozenset({
    "splitsfrom", "tiles", "share", "mm2", "mm3", "nearest", "nearestdistance", "secondnearest", "secondnearestdistance",
})  # fmt: skip
"""Plain headings of further columns of clusters.csv, which say how the clusters are, and change nothing."""


def read_classes(path: str | Path) -> Classes:
    """The rows of a CSV with the column cluster and any of name, colour (#rrggbb) and into.

    Columns with other headings, and how the file was read, go to the logger `tile_engine`, once a process. Raises ValueError
    that names the row and both values.
    """
    from ....errors import SettingsError
    from ....stores.lists.headings import plain_heading
    from ....stores.lists.sheet import read_sheet

    if not Path(path).exists():
        raise ValueError("there is no such file")
    try:
        sheet = read_sheet(Path(path), _headings_in)
    except SettingsError as error:
        raise ValueError(f"classes: {path} cannot be read as a CSV ({error.message})") from error
    plain = {name: plain_heading(name) for name in sheet.names if name}
    columns = {HEADINGS[one]: name for name, one in reversed(plain.items()) if one in HEADINGS}
    unread = [name for name, one in plain.items() if name not in columns.values() and one not in OF_THE_RUN]
    if "cluster" not in columns or sheet.problems:
        faults = list(sheet.problems) or [f"has no column `cluster`; it has {', '.join(sheet.names) or 'no columns'}"]
        raise ValueError(f"classes: {path} {'; '.join(faults)}")
    for note in (*sheet.notes, *([f"columns that are not read: {', '.join(unread)}"] if unread else [])):
        _tell(f"classes: {path}: {note}")
    rows = [(line, {plain: cells.get(name, "") for plain, name in columns.items()}) for line, cells in sheet.rows]
    classes = tuple(_classes(rows, path))
    numbers = [cluster for cluster, *_ in classes]
    for number in numbers:
        if numbers.count(number) > 1:
            raise ValueError(f"classes: {path} has {numbers.count(number)} rows of cluster {number}; one is needed")
    return classes


def _headings_in(cells: Sequence[str]) -> int:
    from ....stores.lists.headings import plain_heading

    found = {HEADINGS[one] for one in map(plain_heading, cells) if one in HEADINGS}
    return len(found) if "cluster" in found else 0


@cache
def _tell(text: str) -> None:
    """Log a note on a file of classes once, however often settings are made of it."""
    LOG.warning(text)


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
