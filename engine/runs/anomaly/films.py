"""films: prepared films as rows and images of the run; see `score.py` for their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ....stores.array import StoredArray
from ....stores.frame import Array, Box
from ....stores.texts import read_texts
from ...pipeline.job import Job
from ...show.film_gallery import ShownFilm
from ...steps.films.index import TEXTS, film_index
from ...steps.films.layout import IMAGES
from ...steps.films.listed import film_texts
from ...steps.films.rows import IN_MEMORY, FilmRows
from .galleries import worst_and_best
from .medium import TRAIN, Figure, Medium, Prior
from .score import EVIDENCE, scores_of

if TYPE_CHECKING:
    from .evaluate import Judged

PROPERTIES = ("mean_intensity", "pixel_entropy", "packed_bytes", "file_bytes")


def _texts(job: Job[Any]) -> Mapping[str, Array]:
    return {name: read_texts(job.folder.films / name) for name in TEXTS}


def _properties(job: Job[Any]) -> Mapping[str, Array]:
    properties = film_index(job.folder).properties
    return {name: properties[name].astype(np.float64) for name in PROPERTIES}


def _images(job: Job[Any]) -> FilmRows:
    return FilmRows(job.folder, np.flatnonzero(FILMS.parts(job) == TRAIN))


def _prior(mean_YX: Array) -> Prior:
    from ....models.views.pasted import prior_of

    return prior_of(mean_YX)


def _galleries(job: Job[Any], judged: Judged, values: Array) -> dict[str, Figure]:
    lines = [
        (f"{value:.4g}  {label}".strip(), str(name))
        for value, label, name in zip(values, judged.labels, judged.names, strict=True)
    ]
    return worst_and_best(job, values, partial(_shown, job, judged, lines), seen="films")


def _shown(job: Job[Any], judged: Judged, lines: Sequence[tuple[str, ...]], chosen: Array) -> list[ShownFilm]:
    """Films of a gallery, with a map of them."""
    images, maps = (StoredArray.open(job.folder.films / name) for name in (IMAGES, EVIDENCE))
    side = images.spec.shape[-1]
    boxes = [Box((int(row), 0, 0), (int(row) + 1, side, side)) for row in judged.rows[chosen]]
    values = [maps.read(box)[0].astype(np.float32) for box in boxes]
    shown = zip(boxes, chosen, values, strict=True)
    return [ShownFilm(images.read(box)[0], lines[i], evidence) for box, i, evidence in shown]


FILMS = Medium(
    name="films",
    seen="films",
    store=lambda folder: folder.films,
    texts=_texts,
    images=_images,
    prior=_prior,
    scores=lambda job: scores_of(job.folder),
    properties=_properties,
    listed=film_texts,
    galleries=_galleries,
    least=8,
    compared=2000,
    most=lambda settings: IN_MEMORY // settings.side**2,
)
