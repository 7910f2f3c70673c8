"""plane: the cases of a run laid out in the plane, as bytes that the page draws: a head, and a column for each number."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ...errors import CorruptError, LockedError
from ..show.palette import shades
from ..show.volume_plane import NUMBER_COLOURS
from .answers import Answer, finite
from .cloud import CaseTable, Cloud, cloud_of, table_of_cases
from .viewer import Viewer

SHADES = 64
"""Colours of numbers, from low to high."""


def check_table(viewer: Viewer, run: int) -> CaseTable:
    """The table whose rows the plane shows.

    Raises LockedError while names are saved and the table of tiles is made anew, CorruptError where there is none.
    """
    if table := table_of_cases(viewer.job(run)):
        return table
    if run in viewer.pending:
        raise LockedError("The table of tiles is being made anew: try again after the names are saved.")
    raise CorruptError(f"{viewer.job(run).folder.out} holds no table yet: run the same command again.")


def plane(viewer: Viewer, run: int) -> Answer:
    """A line of JSON, then little-endian columns: float32 x and y of the plane, float32 micrometres of each of `axes`, uint32
    number of the image, uint8 fine cluster + 1 (0 where the run has none), padded to four bytes.

    The line has what a point is, how many there are of how many cases, what placed them, `point_of` each image where a point
    is whole images, `names` of subjects, and the columns that points are coloured by, with `shades` of numbers.
    """
    table, job = check_table(viewer, run), viewer.job(run)
    key = "plane", run, viewer.stamp(run)
    content = viewer.tiles.get(key, lambda: encoded(cloud_of(job, table), job.modality.axes), len)
    return Answer(content, "application/octet-stream")


def encoded(cloud: Cloud, axes: tuple[str, ...]) -> bytes:
    """Points of a run whose images have these axes."""
    head: dict[str, Any] = {
        "noun": cloud.noun,
        "method": cloud.method,
        "count": len(cloud.places),
        "total": cloud.total,
    }
    head["axes"] = list(axes)[: cloud.centres.shape[1]]
    head |= {
        "columns": cloud.columns,
        "point_of": cloud.point_of,
        "names": cloud.names,
        "shades": shades(NUMBER_COLOURS, SHADES),
    }
    parts = [np.ascontiguousarray(column, "<f4").tobytes() for column in (*cloud.places.T, *cloud.centres.T)]
    parts += [cloud.images.astype("<u4").tobytes(), cloud.fine.tobytes()]
    line = json.dumps(finite(head), allow_nan=False).encode()
    return line + b" " * (-(len(line) + 1) % 4) + b"\n" + b"".join(parts)  # columns begin at multiples of four bytes
