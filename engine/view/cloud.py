"""cloud: the cases of a run, which are tiles, volumes or subjects, as points of the plane, and what these are coloured by.

```text
case     its image              part of it  cluster                    placed by
tile     the one that it is of  its centre  fine cluster of the tile   its embedding
volume   itself                 the whole   none                       its embedding
subject  its first volume       the whole   fine group of the subject  its embedding
image    itself                 the whole   none                       its rank by a score, and the score
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
SCORES = ("volumes", "slides")
"""Tables with the scores of an image in each row, where they have no embedding."""
FIRST_SCORE = "pasted_neighbours"
"""The score that images are ranked by, where there is one; else the first. Probabilities of sites: that of the own site."""
FILES = ("mask", "part")
"""Columns of a list that name files, or an image in a file."""
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


def table_of_cases(job: Job[Any]) -> CaseTable | None:
    """The table whose rows the plane shows; None where there is none yet, and of a run that has none."""
    folder = job.folder.out / "tables"
    for name, noun in NOUN_OF.items():
        if (folder / f"{name}.zarr" / PLACED).exists():
            return CaseTable(folder / f"{name}.zarr", noun, True)
    for name in SCORES:
        if (folder / f"{name}.zarr" / "zarr.json").exists():
            return CaseTable(folder / f"{name}.zarr", job.modality.noun, False)
    return None


def points_of(job: Job[Any]) -> int:
    """How many points the plane of a run has, at most."""
    cases = table_of_cases(job)
    return min(MAX_POINTS, len(read_table(cases.path).obs)) if cases else 0


def cloud_of(job: Job[Any], cases: CaseTable) -> Cloud:
    """The cases of a table of the run in the plane."""
    table = read_table(cases.path)
    noun, obs = cases.noun, table.obs
    rows = np.random.default_rng(job.settings.seed).permutation(len(obs))[:MAX_POINTS]
    if not cases.has_embedding:
        scores, method, prefix = _first_score(table)
        obs = obs[[name for name in obs if name not in MEASURES]].join(table.to_df().add_prefix(prefix))
        rank = np.argsort(np.argsort(-scores, kind="stable")) / max(1, np.isfinite(scores).sum() - 1)
        places = np.stack([rank, _unit(scores)], 1).astype(np.float32)[rows]
    elif found := layout_in(table):
        places, method = found[0].astype(np.float32)[rows], found[1]
    else:
        method, places = "pca", components(np.asarray(table.X), rows)
    image_of = _images(job, obs, noun)
    kept = np.isfinite(places).all(1) & (image_of[rows] >= 0)
    rows, places = rows[kept], places[kept]
    images = image_of[rows]
    point_of: tuple[int, ...] = ()
    if cases.is_whole:
        centres, point_of = np.zeros((len(rows), 0)), _point_of(job, noun, rows, image_of)
        own = OWN_COLUMNS + FILES * cases.has_embedding
        listed = listed_names(table) if noun == SUBJECT else [n for n in obs if n not in own]
        columns = _columns(obs.iloc[rows][listed], "point")
    else:
        centres, columns = _centres(job, obs, rows, images), _columns(_list_of(job), "image")
    fine = _fine(job, obs, noun)[rows].astype(np.uint8)
    words = PLACED_BY.get(method, method)
    return Cloud(noun, words, len(obs), places, images, centres.astype(np.float32), fine, columns, point_of)


def _first_score(table: Any) -> tuple[Array, str, str]:
    """(score of each row, what the plane is called, what stands before the name of each score)."""
    values, names = np.asarray(table.X, np.float64), list(map(str, table.var_names))
    sites = [str(site) for site in table.obs["site"]] if "site" in table.obs else []
    if sites and set(sites) <= set(names):
        own = values[np.arange(len(values)), [names.index(site) for site in sites]]
        return own, "probability of the own site (up), highest on the left", "probability of "
    name = FIRST_SCORE if FIRST_SCORE in names else names[0]
    return values[:, names.index(name)], f"{name.replace('_', ' ')} (up), highest on the left", ""


def _unit(scores: Array) -> Array:
    """Scores from 0 to 1; NaN stays."""
    low, high = (np.nanmin(scores), np.nanmax(scores)) if np.isfinite(scores).any() else (0.0, 1.0)
    return np.asarray((scores - low) / (high - low if high > low else 1.0))


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


def _list_of(job: Job[Any]) -> pd.DataFrame:
    """The name of each image, and what the user's list says of it."""
    import pandas as pd

    records = list(job.slides.values())
    texts = {job.modality.noun: [record.name for record in records], "site": [record.site for record in records]}
    for name in dict.fromkeys(name for record in records for name in record.columns if "/" not in name):
        if name not in FILES and not _names_images([record.columns.get(name, "") for record in records]):
            texts.setdefault(name, [record.columns.get(name, "").strip() for record in records])
    return pd.DataFrame({name: column(values) for name, values in texts.items()})


def _names_images(texts: Sequence[str]) -> bool:
    """Whether a column has another text for each image, such as a file or a number in an archive; numbers may differ."""
    stated = [text for text in texts if text]
    return len(stated) > 2 and len({*stated}) == len(stated) and column(texts).dtype.kind != "f"


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
