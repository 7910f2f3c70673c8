"""plane: the tiles of a run laid out in the plane, as bytes that the page draws: their places, images and clusters."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ...errors import CorruptError, LockedError
from ...stores.frame import Array
from ...stores.tables import read_table
from ..pipeline.job import Job
from ..show.tile_plane import PLACED_BY
from ..steps.layouts import layout_in
from .answers import Answer
from .viewer import Viewer

MAX_POINTS = 100_000
"""Points that the page gets; of more tiles, a random sample."""
FIT_ROWS = 20_000
"""Tiles that principal components are found on, where the run has no layout."""


def has_plane(job: Job[Any]) -> bool:
    """Whether the run has a table of tiles."""
    return (job.folder.table / "zarr.json").exists()


def check_table(viewer: Viewer, run: int) -> None:
    """Raises LockedError while names are saved and the table of tiles is made anew, CorruptError where there is none."""
    table = viewer.job(run).folder.table
    if has_plane(viewer.job(run)):
        return
    if run in viewer.pending:
        raise LockedError("The table of tiles is being made anew: try again after the names are saved.")
    raise CorruptError(f"{table} holds no table yet: run the same command again.")


def plane(viewer: Viewer, run: int) -> Answer:
    """A line of JSON (method, count, total, axes), then little-endian columns: float32 x and y of the plane, float32
    micrometres of each axis, uint32 number of the image, uint8 fine cluster + 1 (0 where the run has none), padded to four
    bytes."""

    check_table(viewer, run)

    def make() -> bytes:
        return _encoded(viewer.job(run))

    content = viewer.tiles.get(("plane", run, viewer.stamp(run)), make, len)
    return Answer(content, "application/octet-stream")


def _encoded(job: Job[Any]) -> bytes:
    table = read_table(job.folder.table)
    rows = np.random.default_rng(job.settings.seed).permutation(len(table.obs))[:MAX_POINTS]
    if found := layout_in(table):
        places, method = found[0].astype(np.float32)[rows], found[1]
    else:
        method, places = "pca", _components(np.asarray(table.X), rows)
    finite = np.isfinite(places).all(1)
    rows, places = rows[finite], places[finite]
    numbers = {image: number for number, image in enumerate(job.slides)}
    slides = table.obs["slide"].astype("category").cat
    images = np.array([numbers.get(str(slide), -1) for slide in slides.categories])[slides.codes.to_numpy()[rows]]
    kept = images >= 0
    rows, places, images = rows[kept], places[kept], images[kept]
    centres = np.stack([table.obs[f"{axis}_um"].to_numpy()[rows] for axis in job.modality.axes], 1)
    for image, record in enumerate(job.slides.values()):
        if not record.placement.straight:
            own = images == image
            centres[own] = record.placement.to_grid(centres[own])
    fine = table.obs["assignment"].to_numpy()[rows] if "assignment" in table.obs else np.zeros(len(rows))
    head = {"method": PLACED_BY.get(method, method), "count": len(rows), "total": len(table.obs)}
    head["axes"] = list(job.modality.axes)
    columns = [*places.T, *centres.T.astype(np.float32)]
    parts = [np.ascontiguousarray(column, "<f4").tobytes() for column in columns]
    parts.append(images.astype("<u4").tobytes())
    parts.append(np.asarray(fine, np.uint8).tobytes())
    line = json.dumps(head).encode()
    return line + b" " * (-(len(line) + 1) % 4) + b"\n" + b"".join(parts)  # columns begin at multiples of four bytes


def _components(vectors: Array, rows: Array) -> Array:
    """The first two principal components of these rows, float32 (n, 2)."""
    fitted = vectors[rows[:FIT_ROWS]].astype(np.float64)
    if len(fitted) < 2:
        return np.zeros((len(rows), 2), np.float32)
    mean = fitted.mean(0)
    axes = np.linalg.eigh((fitted - mean).T @ (fitted - mean))[1][:, :-3:-1]
    return np.asarray((vectors[rows].astype(np.float64) - mean) @ axes, np.float32)
