"""points: what lies at a position of an image, and the tiles of the run that are most like the one there."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..search.search import search
from .answers import Answer, Query
from .viewer import Viewer

MOST_HITS = 50


def at(viewer: Viewer, query: Query, run: int, image: int) -> Answer:
    """The tile at a position (micrometres): its fine cluster + 1, the values there, and the tile's lower edges and side."""
    job = viewer.job(run)
    centre = query.centre(job.modality.axes)
    out: dict[str, Any] = {"fine": 0, "values": {}}
    for number, overlay in enumerate(viewer.overlays(run, image)):
        grid = viewer.grid(run, image, number)
        cell = grid.at(centre)
        if overlay.kind == "clusters":
            out["fine"] = cell
            frame = grid.frame
            index = [int((c - o) // s) for c, o, s in zip(centre, frame.origin, frame.spacing, strict=True)]
            edges = zip(index, frame.origin, frame.spacing, strict=True)
            out["tile"] = {"index": index, "start": [o + i * s for i, o, s in edges], "lengths": list(frame.spacing)}
        elif overlay.kind == "values" and (value := grid.value(cell)) is not None:
            out["values"][overlay.name] = round(value, 4)
    return Answer.of(out)


def similar(viewer: Viewer, query: Query, run: int, image: int) -> Answer:
    """The `k` tiles of the run most like the tile at a position; `same` includes those of its own subject or slide."""
    job, slide = viewer.job(run), viewer.image(run, image)
    placement = job.slides[slide].placement
    position = tuple(placement.to_world(np.array(query.centre(job.modality.axes))).tolist())
    k, same = query.integer("k", 8, most=MOST_HITS), bool(query.integer("same", 0, most=1))
    hits = search(job.folder.out, slide, k=max(1, k), at=position, same_subject=same, save=not viewer.read_only)
    numbers = {name: number for number, name in enumerate(job.slides)}
    rows = []
    for hit in (hits.query, *hits.rows):
        centre = job.slides[hit.slide].placement.to_grid(np.array(hit.centre)).tolist()
        number = numbers[hit.slide]
        fine = _fine(viewer, run, number, tuple(centre))
        row = {"image": number, "name": hit.name, "centre": centre, "fine": fine, "subject": hit.subject}
        rows.append(row | {"distance": getattr(hit, "distance", 0.0)})
    facts = {"cases": hits.cases, "left_out": hits.left_out, "recall": hits.recall, "notes": list(hits.notes)}
    return Answer.of({"query": rows[0], "hits": rows[1:], **facts})


def _fine(viewer: Viewer, run: int, image: int, centre: tuple[float, ...]) -> int:
    """The fine cluster + 1 at a position; 0 where the run has no clusters."""
    for number, overlay in enumerate(viewer.overlays(run, image)):
        if overlay.kind == "clusters":
            return viewer.grid(run, image, number).at(centre)
    return 0
