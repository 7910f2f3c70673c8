"""points: what lies at a position of an image, and the cases of the run that are most like the image or the tile there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SettingsError, TileEngineError
from ...models.neighbours.index import ExactIndex
from ...stores.tables import read_table
from ..runs.cluster.subjects.cases import subjects_of
from ..runs.cluster.subjects.tree import groups_document
from ..search.gallery import open_gallery
from ..search.hits import Case, Hit, Hits
from ..search.search import search
from .answers import Answer, Query
from .cloud import SUBJECT, VOLUME, first_volumes
from .grid import index_of, label_at
from .plane import check_table
from .viewer import Viewer

NO_EMBEDDINGS = "The run keeps no embeddings, by which cases would be compared."
MOST_HITS = 50
ADDED = -1
"""Number of an image that was added to the index and is none of the run."""
NO_TISSUE = "There is no tile with tissue here."
NO_ROWS = "The run's table has nothing of this image."
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
            out["values"][overlay.name] = float(f"{value:.4g}")
    return Answer.of(out)


def similar(viewer: Viewer, query: Query, run: int, image: int) -> Answer:
    """The `k` cases of the run most like an image, or like its tile at a position; `same` includes those of its own subject
    or slide.

    Where the run's table has no such case, `none` says why.
    """
    table = check_table(viewer, run)
    if not table.has_embedding:
        return Answer.of({"none": NO_EMBEDDINGS, "hits": []})
    if table.noun == SUBJECT:
        return _similar_subjects(viewer, query, table.path, (run, image))
    return (_similar_volumes if table.noun == VOLUME else _similar_tiles)(viewer, query, run, image)


def _similar_tiles(viewer: Viewer, query: Query, run: int, image: int) -> Answer:
    job, slide = viewer.job(run), viewer.image(run, image)
    placement = job.slides[slide].placement
    position = tuple(placement.to_world(np.array(query.centre(job.modality.axes))).tolist())
    if not open_gallery(job.folder.out, save=_is_saved(viewer, query)).where(
        "slide", slide
    ):  # its id could be a file's name
        return Answer.of({"none": NO_ROWS, "hits": []})
    try:
        hits = _search(viewer, query, run, slide, at=position)
    except SettingsError as error:
        if error.code != "E_QUERY":
            raise
        fine = _fine(viewer, run, image, query.centre(job.modality.axes))
        return Answer.of({"none": NOT_SAMPLED if fine else NO_TISSUE, "hits": []})
    numbers = {name: number for number, name in enumerate(job.slides)}
    rows = []
    for hit in (hits.query, *hits.rows):
        number, centre = numbers[hit.slide], job.slides[hit.slide].placement.to_grid(np.array(hit.centre)).tolist()
        rows.append(_row(hit, number, centre, _fine(viewer, run, number, tuple(centre))))
    return _found(hits, rows)


def _similar_volumes(viewer: Viewer, query: Query, run: int, image: int) -> Answer:
    job, volume = viewer.job(run), viewer.image(run, image)
    if not open_gallery(job.folder.out, save=_is_saved(viewer, query)).where("id", volume):
        return Answer.of({"none": NO_ROWS, "hits": []})
    hits = _search(viewer, query, run, volume)
    numbers = {name: number for number, name in enumerate(job.slides)}
    return _found(hits, [_row(hit, numbers.get(hit.id, ADDED), [], 0) for hit in (hits.query, *hits.rows)])


def _similar_subjects(viewer: Viewer, query: Query, table: Path, of: tuple[int, int]) -> Answer:
    """The subjects nearest to that of a volume, by the embeddings that the groups were found in."""
    run, image = of
    job, subjects = viewer.job(run), subjects_of(viewer.job(run))
    vectors = np.asarray(read_table(table).X, np.float32)
    own, k = int(subjects.of_volume[image]), max(1, query.integer("k", 8, most=MOST_HITS))
    found = ExactIndex(vectors, np.arange(len(vectors))).nearest(vectors[own : own + 1], k, np.array([own]))
    fine, images = groups_document(job).fine, first_volumes(job)
    near = [
        (row, far) for row, far in zip(found.rows[0].tolist(), found.distances[0].tolist(), strict=True) if row >= 0
    ]
    rows = []
    for row, distance in ((own, 0.0), *near):
        case = {"image": images[row], "name": subjects.names[row], "centre": [], "fine": fine[row]}
        rows.append(case | {"subject": subjects.names[row], "distance": distance})
    facts = {"cases": len(vectors), "left_out": 1, "recall": 1.0, "notes": []}
    return Answer.of({"query": rows[0] | {"image": image}, "hits": rows[1:], **facts})


def _search(viewer: Viewer, query: Query, run: int, case: str, at: tuple[float, ...] | None = None) -> Hits:
    k, same = query.integer("k", 8, most=MOST_HITS), bool(query.integer("same", 0, most=1))
    save = _is_saved(viewer, query)
    return search(viewer.job(run).folder.out, case, k=max(1, k), at=at, same_subject=same, save=save)


def _is_saved(viewer: Viewer, query: Query) -> bool:
    """Whether an index that is built for a search is kept: not where an image is only looked at."""
    return not viewer.read_only and bool(query.integer("save", 1, most=1))


def _row(hit: Case, image: int, centre: list[float], fine: int) -> dict[str, Any]:
    distance = hit.distance if isinstance(hit, Hit) else 0.0
    row = {"image": image, "name": hit.name, "centre": centre, "fine": fine, "subject": hit.subject}
    return row | {"distance": distance}


def _found(hits: Hits, rows: list[dict[str, Any]]) -> Answer:
    facts = {"left_out": hits.left_out, "recall": hits.recall, "notes": list(hits.notes)}
    return Answer.of({"query": rows[0], "hits": rows[1:], "cases": hits.searched + hits.left_out, **facts})


def _fine(viewer: Viewer, run: int, image: int, centre: tuple[float, ...]) -> int:
    """The fine cluster + 1 at a position; 0 where the run has no clusters."""
    for overlay in viewer.overlays(run, image):
        if overlay.kind == "clusters":
            return label_at(overlay, centre)
    return 0
