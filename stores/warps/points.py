"""points: tables of points in pixels, CSV with the columns X and Y as BIRL and ANHIR write landmarks."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import SettingsError
from ..frame import Array, Frame
from ..lists.cells import read_number
from ..lists.delimited import delimited_lines, delimiter_of
from ..regular import read_whole

MAX_BYTES = 1 << 28
"""Bytes of a table of points, at most."""
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?")


@dataclass(frozen=True, slots=True)
class PointTable:
    """Points, and the cells of their rows."""

    points: Array
    """(n, 2): y and x in pixels; the centre of the first pixel is 0, 0."""
    names: tuple[str, ...]
    """Headings as they stand; the first of BIRL's tables is empty."""
    rows: tuple[tuple[str, ...], ...]
    columns: tuple[int, int]
    """Numbers of the columns of Y and X."""
    delimiter: str = ","

    def text(self, points: Array) -> str:
        """The table with other points, its cells separated as they were; points that are not finite have empty cells."""
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.delimiter, lineterminator="\n")
        writer.writerow(self.names)
        for row, point in zip(self.rows, points, strict=True):
            cells = list(row)
            for column, value in zip(self.columns, point, strict=True):
                cells[column] = f"{value:.4f}" if np.isfinite(point).all() else ""
            writer.writerow(cells)
        return out.getvalue()


def read_points(path: Path) -> PointTable:
    """The points of a CSV or TSV with the columns X and Y. Raises SettingsError (E_POINTS) for a table that holds none."""
    try:
        data = read_whole(path, MAX_BYTES)
        lines = delimited_lines(data)[0]
        if not lines:
            raise ValueError("it is empty")
        (_, header), *lines = lines
        delimiter = delimiter_of(data)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: the points cannot be read: {error}.", "E_POINTS") from error
    names = tuple(name.strip() for name in header)
    columns = {name.casefold(): n for n, name in enumerate(names)}
    if not {"x", "y"} <= columns.keys():
        raise SettingsError(f"{path} has the columns {', '.join(names)}, and points need X and Y.", "E_POINTS")
    y, x = columns["y"], columns["x"]
    rows = tuple((*cells, *[""] * (len(names) - len(cells))) for _, cells in lines)
    points = np.array([[_number(row[y]), _number(row[x])] for row in rows], np.float64).reshape(-1, 2)
    if delimiter == "," and (grouped := [row[i] for row in rows for i in (y, x) if _GROUPED.fullmatch(row[i].strip())]):
        raise SettingsError(
            f"{path}: {grouped[0].strip()!r} may have a sign between thousands or before decimals. Write points as 12345.6.",
            "E_POINTS",
        )
    bad = [line for (line, _), point in zip(lines, points, strict=True) if not np.isfinite(point).all()]
    if bad or not len(points):
        text = f"lines without two numbers: {', '.join(map(str, bad[:5]))}" if bad else "it has no rows"
        raise SettingsError(f"{path} holds no points that can be read: {text}.", "E_POINTS")
    return PointTable(points, names, rows, (y, x), delimiter)


def _number(text: str) -> float:
    number = read_number(text.strip()) if text.strip() else None
    return float("nan") if number is None else number


def to_um(points: Array, frame: Frame, *, corners: bool = False) -> Array:
    """Pixels (y, x) of a frame -> micrometres. Whole numbers are the centres of pixels, or with `corners` their corners."""
    return np.asarray((points + (0 if corners else 0.5)) * np.array(frame.spacing) + np.array(frame.origin))


def to_pixels(points: Array, frame: Frame, *, corners: bool = False) -> Array:
    """The inverse of `to_um`."""
    return np.asarray((points - np.array(frame.origin)) / np.array(frame.spacing) - (0 if corners else 0.5))
