"""cloud: the cases of a run, which are tiles, volumes or subjects, as points of the plane, and what these are coloured by.

```text
case     its image               its place   cluster
tile     the one that it is of   its centre  fine cluster of the tile
volume   itself                  the whole   none
subject  its first volume        the whole   fine group of the subject
```
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...stores.frame import Array
from ...stores.tables import read_table
from ..pipeline.job import Job
from ..runs.cluster.subjects.cases import subjects_of
from ..runs.cluster.subjects.table import listed_names
from ..runs.cluster.subjects.tree import groups_document
from ..runs.embed.table import OWN_COLUMNS, column
from ..show.palette import colour, hexadecimal
from ..show.tile_plane import PLACED_BY
from ..show.volume_plane import MAX_VALUES_COLOURED
from ..steps.layouts import layout_in
from ..steps.volumes.plane_columns import plane_columns

if TYPE_CHECKING:
    import pandas as pd

MAX_POINTS = 100_000
"""Points that the page gets; of more cases, a random sample."""
FIT_ROWS = 20_000
"""Cases that principal components are found on, where the run has no layout."""
TILE, VOLUME, SUBJECT = "tile", "volume", "subject"
NOUN_OF = {"tiles": TILE, "volumes": VOLUME, "subjects": SUBJECT}
"""Table with an embedding in each row -> what a row is."""
PLACED = "uns/tile_engine/umap"
"""Inside a table, what says how its embeddings are placed in the plane."""
FILES = ("mask", "part")
"""Columns of a list that name files."""


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


def table_of_cases(job: Job[Any]) -> Path | None:
    """The table whose rows the plane shows; None where there is none yet, and of a run that has none: scores are no embedding."""
    paths = (job.folder.out / "tables" / f"{name}.zarr" for name in NOUN_OF)
    return next((path for path in paths if (path / PLACED).exists()), None)


def noun_of_cases(job: Job[Any]) -> str:
    """What a point of the plane is; empty where the run has no table."""
    path = table_of_cases(job)
    return NOUN_OF[path.stem] if path else ""


def cloud_of(job: Job[Any], path: Path) -> Cloud:
    """The cases of a table of the run in the plane."""
    table, noun = read_table(path), NOUN_OF[path.stem]
    rows = np.random.default_rng(job.settings.seed).permutation(len(table.obs))[:MAX_POINTS]
    if found := layout_in(table):
        places, method = found[0].astype(np.float32)[rows], found[1]
    else:
        method, places = "pca", components(np.asarray(table.X), rows)
    image_of = _images(job, table.obs, noun)
    kept = np.isfinite(places).all(1) & (image_of[rows] >= 0)
    rows, places = rows[kept], places[kept]
    images = image_of[rows]
    point_of: tuple[int, ...] = ()
    if noun == TILE:
        centres, columns = _centres(job, table.obs, rows, images), _columns(_list_of(job), "image")
    else:
        centres, point_of = np.zeros((len(rows), 0)), _point_of(job, noun, rows, image_of)
        listed = listed_names(table) if noun == SUBJECT else [n for n in table.obs if n not in (*OWN_COLUMNS, *FILES)]
        columns = _columns(table.obs.iloc[rows][listed], "point")
    fine = _fine(job, table.obs, noun)[rows].astype(np.uint8)
    words = PLACED_BY.get(method, method)
    return Cloud(noun, words, len(table.obs), places, images, centres.astype(np.float32), fine, columns, point_of)


def components(vectors: Array, rows: Array) -> Array:
    """The first two principal components of these rows, float32 (n, 2)."""
    fitted = vectors[rows[:FIT_ROWS]].astype(np.float64)
    if len(fitted) < 2:
        return np.zeros((len(rows), 2), np.float32)
    mean = fitted.mean(0)
    axes = np.linalg.eigh((fitted - mean).T @ (fitted - mean))[1][:, :-3:-1]
    places = (vectors[rows].astype(np.float64) - mean) @ axes
    return np.asarray(np.pad(places, ((0, 0), (0, 2 - places.shape[1]))), np.float32)  # of one feature, a line


def _images(job: Job[Any], obs: pd.DataFrame, noun: str) -> Array:
    """Number of the image of each row; -1 for one that the run does not have any more."""
    if noun == SUBJECT:
        return np.asarray(first_volumes(job))
    numbers = {image: number for number, image in enumerate(job.slides)}
    owners = obs["slide" if noun == TILE else "id"].astype("category").cat
    found = np.array([numbers.get(str(owner), -1) for owner in owners.categories], np.int64)
    return np.asarray(found[owners.codes.to_numpy()])


def first_volumes(job: Job[Any]) -> list[int]:
    """Number of the first volume of each subject."""
    return np.unique(subjects_of(job).of_volume, return_index=True)[1].tolist()


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


def _list_of(job: Job[Any]) -> pd.DataFrame:
    """The name of each image, and what the user's list says of it."""
    import pandas as pd

    records = list(job.slides.values())
    texts = {job.modality.noun: [record.name for record in records], "site": [record.site for record in records]}
    for name in dict.fromkeys(name for record in records for name in record.columns if "/" not in name):
        if name not in FILES:
            texts.setdefault(name, [record.columns.get(name, "").strip() for record in records])
    return pd.DataFrame({name: column(values) for name, values in texts.items()})


def _columns(obs: pd.DataFrame, by: str) -> tuple[dict[str, Any], ...]:
    """The columns that tell something, those first that are asked for most."""
    chosen, _ = plane_columns(SimpleNamespace(obs=obs), obs.columns)
    return tuple({"name": name, "by": by} | _shown(values) for name, values in chosen.items())


def _shown(values: Array) -> dict[str, Any]:
    """A column as the reports colour it: numbers from low to high, or texts, of which the first few have colours."""
    if values.dtype.kind == "f":
        known = values[np.isfinite(values)]
        return {"low": float(known.min()), "high": float(known.max()), "values": values.round(6).tolist()}
    names = sorted({str(value) for value in values} - {""})
    code = {name: number for number, name in enumerate(names[:MAX_VALUES_COLOURED], 1)}
    colours = [hexadecimal(colour(number)) for number in code.values()]
    texts = [str(value) for value in values]
    return {"names": list(code), "colours": colours, "values": [code.get(text, 0) for text in texts], "texts": texts}
