"""plane: the cases of a run laid out in the plane, as bytes that the page draws: a head, and a column for each number."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ...errors import CorruptError, LockedError
from ..show.palette import shades
from ..show.volume_plane import NUMBER_COLOURS
from .answers import Answer, finite
from .cloud import cloud_of, table_of_cases
from .viewer import Viewer

SHADES = 64
"""Colours of numbers, from low to high."""


def check_table(viewer: Viewer, run: int) -> None:
    """Raises LockedError while names are saved and the table of tiles is made anew, CorruptError where there is none."""
    if table_of_cases(viewer.job(run)):
        return
    if run in viewer.pending:
        raise LockedError("The table of tiles is being made anew: try again after the names are saved.")
    raise CorruptError(f"{viewer.job(run).folder.out} holds no table yet: run the same command again.")


def plane(viewer: Viewer, run: int) -> Answer:
    """A line of JSON, then little-endian columns: float32 x and y of the plane, float32 micrometres of each of `axes`, uint32
    number of the image, uint8 fine cluster + 1 (0 where the run has none), padded to four bytes.

    The line has what a point is, how many there are of how many cases, what placed them, `point_of` each image where a point
    is whole images, and the columns that points are coloured by, with `shades` of numbers.
    """
    check_table(viewer, run)
    content = viewer.tiles.get(("plane", run, viewer.stamp(run)), lambda: encoded(viewer, run), len)
    return Answer(content, "application/octet-stream")


def encoded(viewer: Viewer, run: int) -> bytes:
    job = viewer.job(run)
    table = table_of_cases(job)
    assert table is not None  # check_table
    cloud = cloud_of(job, table)
    head: dict[str, Any] = {
        "noun": cloud.noun,
        "method": cloud.method,
        "count": len(cloud.places),
        "total": cloud.total,
    }
    head["axes"] = list(job.modality.axes)[: cloud.centres.shape[1]]
    head |= {"columns": cloud.columns, "point_of": cloud.point_of, "shades": shades(NUMBER_COLOURS, SHADES)}
    parts = [np.ascontiguousarray(column, "<f4").tobytes() for column in (*cloud.places.T, *cloud.centres.T)]
    parts += [cloud.images.astype("<u4").tobytes(), cloud.fine.tobytes()]
    line = json.dumps(finite(head), allow_nan=False).encode()
    return line + b" " * (-(len(line) + 1) % 4) + b"\n" + b"".join(parts)  # columns begin at multiples of four bytes
