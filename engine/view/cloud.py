"""cloud: the cases of a run, which are tiles, volumes, subjects or whole images, as points of the plane.

```text
case     its image              part of it  cluster                    placed by
tile     the one that it is of  its centre  fine cluster of the tile   its embedding
volume   itself                 the whole   none                       its embedding
subject  its first volume       the whole   fine group of the subject  its embedding
image    itself                 the whole   none                       its rank by a score, and the score
```
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...stores.frame import Array
from ...stores.tables import read_table
from ..pipeline.job import Job
from ..runs.cluster.subjects.cases import subjects_of
from ..runs.cluster.subjects.table import listed_names
from ..runs.cluster.subjects.tree import groups_document
from ..runs.embed.table import OWN_COLUMNS
from ..search.rows import subject_of
from ..steps.list_columns import noted_listed
from .columns import FILES, Listed, listed_columns, shown_columns
from .places import are_of_sites, placed_by_embedding, placed_by_score

if TYPE_CHECKING:
    import pandas as pd

MAX_POINTS = 100_000
"""Points that the page gets; of more cases, a random sample."""
TILE, VOLUME, SUBJECT = "tile", "volume", "subject"
NOUN_OF = {"tiles": TILE, "volumes": VOLUME, "subjects": SUBJECT}
"""Table with an embedding in each row -> what a row is."""
PLACED = "uns/tile_engine/umap"
"""Inside a table, what says how its embeddings are placed in the plane."""
SCORES = ("volumes", "slides")
"""Tables with the scores of an image in each row, where they have no embedding."""
MEASURES = ("reason", "mean_intensity", "packed_bytes", "pixel_entropy", "border", "file_bytes")
"""Columns of a table of scores that say nothing of what an image shows."""


@dataclass(frozen=True, slots=True)
class CaseTable:
    """A table whose rows are points of the plane."""

    path: Path
    noun: str
    has_embedding: bool

    @property
    def is_whole(self) -> bool:
        """Whether a row is one or several whole images, not a part of one."""
        return self.noun != TILE


@dataclass(frozen=True, slots=True)
class Cloud:
    """Points, in random order, so that no cluster is drawn over all the others."""

    noun: str
    method: str
    """What placed them, in words."""
    total: int
    """Cases of the run; there may be fewer points."""
    places: Array
    """float32 (point, 2)."""
    images: Array
    """int (point,); number of an image."""
    centres: Array
    """float32 (point, axes), micrometres on the grid of the image; (point, 0) where a case is whole images."""
    fine: Array
    """uint8 (point,); fine cluster or group + 1, 0 where there is none."""
    columns: tuple[dict[str, Any], ...]
    """What points are coloured by beside clusters, as JSON values: `by` image or point."""
    point_of: tuple[int, ...]
    """Image -> its point, -1 for none; empty where a case is a part of an image."""
    names: tuple[str, ...] = ()
    """Of points that are subjects; others are called as their image."""
    behind: tuple[str, ...] = ()
    """Columns of the list that a page to send does not hold."""
    known: tuple[str, ...] = ()
    """All columns that there are, whether they tell something or not."""


def table_of_cases(job: Job[Any]) -> CaseTable | None:
    """The table whose rows the plane shows; None where there is none yet, and of a run that has none."""
    folder = job.folder.out / "tables"
    for name, noun in NOUN_OF.items():
        if _is_whole(folder / f"{name}.zarr") and (folder / f"{name}.zarr" / PLACED).exists():
            return CaseTable(folder / f"{name}.zarr", noun, True)
    for name in SCORES:
        if _is_whole(folder / f"{name}.zarr"):
            return CaseTable(folder / f"{name}.zarr", job.modality.noun, False)
    return None


def _is_whole(table: Path) -> bool:
    """Whether a table is written to its end: the root metadata comes last."""
    return (table / "zarr.json").exists()


def cloud_of(job: Job[Any], cases: CaseTable, only: Collection[str] | None = None) -> Cloud:
    """The cases of a table of the run in the plane; `only` is of a page to send: `columns.shown_columns`."""
    table = read_table(cases.path)
    noun, obs = cases.noun, table.obs
    rows = np.random.default_rng(job.settings.seed).permutation(len(obs))[:MAX_POINTS]
    places, method = (placed_by_embedding if cases.has_embedding else placed_by_score)(table, rows)
    image_of = _images(job, obs, noun)
    kept = np.isfinite(places).all(1) & (image_of[rows] >= 0)
    rows, places = rows[kept], places[kept]
    images = image_of[rows]
    centres = np.zeros((len(rows), 0)) if cases.is_whole else _centres(job, obs, rows, images)
    listed = _listed(job, cases, table, (rows, images), to_send=only is not None)
    columns, behind = shown_columns(listed, only)
    return Cloud(
        noun,
        method,
        len(obs),
        places,
        images,
        centres.astype(np.float32),
        _fine(job, obs, noun)[rows].astype(np.uint8),
        columns,
        point_of=_point_of(job, noun, rows, image_of) if cases.is_whole else (),
        names=tuple(map(str, obs["subject"].iloc[rows])) if noun == SUBJECT and only is None else (),
        behind=behind,
        known=tuple(map(str, listed.frame)),
    )


def _listed(job: Job[Any], cases: CaseTable, table: Any, of: tuple[Array, Array], *, to_send: bool) -> Listed:
    """What the points of these (rows of a table, numbers of their images) may be coloured by."""
    rows, images = of
    subjects = [subject_of(record) for record in job.slides.values()]
    if not cases.is_whole:
        return Listed(listed_columns(job, to_send=to_send), subjects, "image", found=(job.modality.noun,))
    if cases.noun == SUBJECT:
        return Listed(table.obs.iloc[rows][listed_names(table)], [""] * len(rows), "point")
    of_rows = [subjects[image] for image in images]
    if cases.has_embedding:
        names = [name for name in table.obs if name not in OWN_COLUMNS + FILES]
        return Listed(table.obs.iloc[rows][names], of_rows, "point")
    scores = table.to_df().add_prefix("probability of " if are_of_sites(table) else "")
    listed = noted_listed(table)
    files = {f"list {name}" for name in FILES} | (listed & set(FILES))
    about = table.obs[[name for name in table.obs if name not in {*OWN_COLUMNS, *MEASURES, *files}]]
    frame = about.join(scores, rsuffix=" (score)").iloc[rows]
    return Listed(frame, of_rows, "point", found=tuple(name for name in map(str, frame) if name not in listed))


def _images(job: Job[Any], obs: pd.DataFrame, noun: str) -> Array:
    """Number of the image of each row; -1 for one that the run does not have any more."""
    if noun == SUBJECT:
        return np.asarray(first_volumes(job))
    numbers = {image: number for number, image in enumerate(job.slides)}
    if noun != TILE and "id" not in obs:
        names, own = [str(name) for name in obs["name"]], [record.name for record in job.slides.values()]
        if names == own:  # a file may hold several
            return np.arange(len(own))
        numbers = {name: number if own.count(name) == 1 else -1 for number, name in enumerate(own)}
        return np.array([numbers.get(name, -1) for name in names])
    owners = obs["slide" if noun == TILE else "id"].astype("category").cat
    found = np.array([numbers.get(str(owner), -1) for owner in owners.categories], np.int64)
    return np.asarray(found[owners.codes.to_numpy()])


def first_volumes(job: Job[Any]) -> list[int]:
    """Number of the first volume of each subject."""
    first: list[int] = np.unique(subjects_of(job).of_volume, return_index=True)[1].tolist()
    return first


def _point_of(job: Job[Any], noun: str, rows: Array, image_of: Array) -> tuple[int, ...]:
    """Image -> the point of its case, where row `rows[point]` is the case; a subject has several volumes."""
    point = np.full(len(image_of) + 1, -1)  # the last one of no case
    point[rows] = np.arange(len(rows))
    case = np.full(len(job.slides), len(image_of))
    if noun == SUBJECT:
        case = subjects_of(job).of_volume
    else:
        case[image_of[image_of >= 0]] = np.flatnonzero(image_of >= 0)
    return tuple(point[case].tolist())


def _fine(job: Job[Any], obs: pd.DataFrame, noun: str) -> Array:
    if noun == SUBJECT:
        return np.asarray(groups_document(job).fine)
    return obs["assignment"].to_numpy() if "assignment" in obs else np.zeros(len(obs))


def _centres(job: Job[Any], obs: pd.DataFrame, rows: Array, images: Array) -> Array:
    centres = np.stack([obs[f"{axis}_um"].to_numpy()[rows] for axis in job.modality.axes], 1)
    for image, record in enumerate(job.slides.values()):
        if not record.placement.straight:
            own = images == image
            centres[own] = record.placement.to_grid(centres[own])
    return centres
