"""points: tables of points in pixels, CSV with the columns X and Y as BIRL and ANHIR write landmarks."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import SettingsError
from ..frame import Array, Frame
from ..lists.cells import read_number
from ..lists.sheet import Sheet, read_sheet


@dataclass(frozen=True, slots=True)
class PointTable:
    """Points, and the cells of their rows."""

    points: Array
    """(n, 2): y and x in pixels; the centre of the first pixel is 0, 0."""
    sheet: Sheet
    x: str
    y: str
    """Headings of the columns of X and Y."""

    def text(self, points: Array) -> str:
        """The table as CSV with other points; those that are not finite have empty cells."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.sheet.names)
        for (_, cells), point in zip(self.sheet.rows, points, strict=True):
            known = bool(np.isfinite(point).all())
            moved = {self.y: f"{point[0]:.4f}" if known else "", self.x: f"{point[1]:.4f}" if known else ""}
            writer.writerow([{**cells, **moved}.get(name, "") for name in self.sheet.names])
        return out.getvalue()


def read_points(path: Path) -> PointTable:
    """The points of a CSV with the columns X and Y. Raises SettingsError (E_POINTS) for a table that holds none."""
    sheet = read_sheet(path)
    columns = {name.casefold(): name for name in sheet.names}
    if not {"x", "y"} <= columns.keys():
        raise SettingsError(f"{path} has the columns {', '.join(sheet.names)}, and points need X and Y.", "E_POINTS")
    x, y = columns["x"], columns["y"]
    values = [[_number(cells.get(name, "")) for name in (y, x)] for _, cells in sheet.rows]
    points = np.array(values, np.float64).reshape(-1, 2)
    if sheet.problems or not len(points) or not np.isfinite(points).all():
        bad = [line for (line, _), point in zip(sheet.rows, points, strict=True) if not np.isfinite(point).all()]
        lines = "; ".join([*sheet.problems, *([f"lines without two numbers: {bad[:5]}"] if bad else [])])
        raise SettingsError(f"{path} holds no points that can be read: {lines or 'it has no rows'}.", "E_POINTS")
    return PointTable(points, sheet, x, y)


def _number(text: str) -> float:
    number = read_number(text) if text else None
    return float("nan") if number is None else number


def to_um(points: Array, frame: Frame) -> Array:
    """Pixels (y, x) of a frame, whose centres are whole numbers -> micrometres."""
    return np.asarray((points + 0.5) * np.array(frame.spacing) + np.array(frame.origin))


def to_pixels(points: Array, frame: Frame) -> Array:
    """The inverse of `to_um`."""
    return np.asarray((points - np.array(frame.origin)) / np.array(frame.spacing) - 0.5)
