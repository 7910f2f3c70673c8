"""films: the films of a run with their scores or probabilities, and maps over each film: pictures for a gallery."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import CorruptError
from ...stores.array import StoredArray
from ...stores.frame import Array, Box
from ...stores.tables import read_table
from ...stores.texts import read_texts
from ..pipeline.job import Job
from ..runs.anomaly.score_names import SHOWN
from ..show.encoded import heat_colours, jpeg, palette_png
from ..steps.films.layout import IMAGES
from .answers import Answer
from .viewer import Viewer

TEXTS = ("name", "subject", "site", "label", "part", "named")
"""Columns of the table that the gallery shows, where it has them."""
MAX_FILMS = 20_000
"""Films of a gallery, at most."""
FIRST_MAPS = ("evidence", "gradcam")
"""Maps of which one lies over the films first."""
RANGE_FILMS = 64
"""Films that the range of a map is taken from."""


def has_films(job: Job[Any]) -> bool:
    return job.modality.name == "films"


def film_table(viewer: Viewer, run: int) -> Answer:
    """Texts and scores of every film that is used, column by column, names of maps over them, and what is shown first."""
    job = viewer.job(run)
    path = job.folder.out / "tables" / "films.zarr"
    if not has_films(job) or not (path / "zarr.json").exists():
        raise CorruptError(f"{path} holds no table yet: run the same command again.")
    table = read_table(path)
    used = np.flatnonzero(table.obs["reason"].astype(str) == "")  # the others are black, or have no pixels at all
    rows = used[:MAX_FILMS]
    columns = {name: [str(v) for v in table.obs[name].iloc[rows]] for name in TEXTS if name in table.obs}
    values = np.asarray(table.X, np.float64)[rows]
    scores = {str(name): [float(v) for v in column] for name, column in zip(table.var_names, values.T, strict=True)}
    maps = map_names(viewer, run)
    facts = {
        "rows": rows.tolist(),
        "total": len(used),
        "left_out": len(table.obs) - len(used),
        "first_score": SHOWN if SHOWN in scores else next(reversed(scores), ""),
        "first_map": next((number for number, name in enumerate(maps) if name in FIRST_MAPS), 0),
        "side": _stored(viewer, run, IMAGES).spec.shape[-1],
    }
    return Answer.of({"texts": columns, "scores": scores, "maps": maps, **facts})


def map_names(viewer: Viewer, run: int) -> list[str]:
    """Names of the arrays that lie over the films: errors, evidence, Grad-CAM."""
    folder = viewer.job(run).folder.films
    shape = _stored(viewer, run, IMAGES).spec.shape
    found = []
    for path in sorted(folder.iterdir()):
        if path.name == IMAGES or path.is_symlink() or not (path / "zarr.json").exists():
            continue
        try:
            spec = StoredArray.open(path).spec
        except CorruptError:  # an array of texts
            continue
        if len(spec.shape) == 3 and spec.shape == shape:
            found.append(path.name)
    return found


def film(viewer: Viewer, run: int, row: int) -> Answer:
    """JPEG of a film. Raises LookupError for a row that no film has."""
    pixels = _read(viewer, run, IMAGES, row)
    return Answer(jpeg(np.repeat(pixels[..., None], 3, -1)), "image/jpeg")


def film_map(viewer: Viewer, run: int, row: int, number: int) -> Answer:
    """PNG of a map over a film, clear where there is nothing; the strongest colour is the same value in all films."""
    names = map_names(viewer, run)
    if not 0 <= number < len(names):
        raise LookupError(f"no map {number}")
    name = names[number]
    values = np.nan_to_num(_read(viewer, run, name, row).astype(np.float32))
    top = viewer.grids.get(("top", run, viewer.stamp(run), name), lambda: _top(viewer, run, name), lambda top: 64)
    return Answer(palette_png(np.rint(np.clip(values / top, 0, 1) * 255).astype(np.uint8), heat_colours()), "image/png")


def _top(viewer: Viewer, run: int, name: str) -> float:
    """The 99.8th percentile of a map's values, over some films."""
    used = np.flatnonzero(read_texts(viewer.job(run).folder.films / "reason") == "")
    rows = used[np.unique(np.linspace(0, len(used) - 1, RANGE_FILMS).astype(int))] if len(used) else used
    films = [np.nan_to_num(_read(viewer, run, name, int(row)).astype(np.float32)).ravel() for row in rows]
    values = np.concatenate([*films, np.zeros(0, np.float32)])
    some = values[values > 0]
    return float(np.percentile(some, 99.8)) if some.size else 1.0


def _stored(viewer: Viewer, run: int, name: str) -> StoredArray:
    return StoredArray.open(viewer.job(run).folder.films / name)


def _read(viewer: Viewer, run: int, name: str, row: int) -> Array:
    stored = _stored(viewer, run, name)
    films, height, width = stored.spec.shape
    if not 0 <= row < films:
        raise LookupError(f"no film {row}")
    values: Array = stored.read(Box((row, 0, 0), (row + 1, height, width)))[0]
    return values
