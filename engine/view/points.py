"""points: what lies at a position of an image, and the tiles of the run that are most like the one there."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import SettingsError, TileEngineError
from ..search.gallery import open_gallery
from ..search.search import search
from .answers import Answer, Query
from .grid import index_of, label_at
from .plane import check_table
from .viewer import Viewer

MOST_HITS = 50
NO_TISSUE = "There is no tile with tissue here."
NO_ROWS = "The run's table has no tile of this image."
NOT_SAMPLED = "The run's table holds a sample of its tiles, and this one is not among them: try one beside it."


def at(viewer: Viewer, query: Query, run: int, image: int) -> Answer:
    """The tile at a position (micrometres): its fine cluster + 1, the values there, and the tile's lower edges and side."""
    job = viewer.job(run)
    centre = query.centre(job.modality.axes)
    out: dict[str, Any] = {"fine": 0, "values": {}}
    for number, overlay in enumerate(viewer.overlays(run, image)):
        try:
            grid = viewer.grid(run, image, number)
        except TileEngineError:  # damaged: `verify` names it
            continue
        cell = grid.at(centre)
        if overlay.kind == "clusters":
            out["fine"] = cell
            frame = grid.frame
            index = index_of(frame, centre)
            edges = zip(index, frame.origin, frame.spacing, strict=True)
            out["tile"] = {"index": index, "start": [o + i * s for i, o, s in edges], "lengths": list(frame.spacing)}
        elif overlay.kind == "values" and (value := grid.value(cell)) is not None:
            out["values"][overlay.name] = round(value, 4)
    return Answer.of(out)


def similar(viewer: Viewer, query: Query, run: int, image: int) -> Answer:
    """The `k` tiles of the run most like the tile at a position; `same` includes those of its own subject or slide.

    Where no tile of the run's table lies there, `none` says why.
    """
    job, slide = viewer.job(run), viewer.image(run, image)
    check_table(viewer, run)
    placement = job.slides[slide].placement
    position = tuple(placement.to_world(np.array(query.centre(job.modality.axes))).tolist())
    k, same = query.integer("k", 8, most=MOST_HITS), bool(query.integer("same", 0, most=1))
    save = not viewer.read_only
    if not open_gallery(job.folder.out, save=save).where("slide", slide):  # its id could be the name of a file
        return Answer.of({"none": NO_ROWS, "hits": []})
    try:
        hits = search(job.folder.out, slide, k=max(1, k), at=position, same_subject=same, save=save)
    except SettingsError as error:
        if error.code != "E_QUERY":
            raise
        fine = _fine(viewer, run, image, query.centre(job.modality.axes))
        return Answer.of({"none": NOT_SAMPLED if fine else NO_TISSUE, "hits": []})
    numbers = {name: number for number, name in enumerate(job.slides)}
    rows = []
    distances = (0.0, *(hit.distance for hit in hits.rows))
    for hit, distance in zip((hits.query, *hits.rows), distances, strict=True):
        centre = job.slides[hit.slide].placement.to_grid(np.array(hit.centre)).tolist()
        number = numbers[hit.slide]
        fine = _fine(viewer, run, number, tuple(centre))
        row = {"image": number, "name": hit.name, "centre": centre, "fine": fine, "subject": hit.subject}
        rows.append(row | {"distance": distance})
    facts = {"cases": hits.cases, "left_out": hits.left_out, "recall": hits.recall, "notes": list(hits.notes)}
    return Answer.of({"query": rows[0], "hits": rows[1:], **facts})


def _fine(viewer: Viewer, run: int, image: int, centre: tuple[float, ...]) -> int:
    """The fine cluster + 1 at a position; 0 where the run has no clusters."""
    for overlay in viewer.overlays(run, image):
        if overlay.kind == "clusters":
            return label_at(overlay, centre)
    return 0
