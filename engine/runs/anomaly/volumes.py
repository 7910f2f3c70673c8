"""volumes: volumes as rows of the run, and their axial slices as images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ....stores.frame import Array
from ....stores.image import StoredImage
from ...pipeline.job import Job
from ...show.evidence_overlay import draw_evidence, planes_of
from ...show.film_gallery import ShownFilm
from ...steps.volumes.dataset import assigned_rows
from ...steps.volumes.planes import axial, seen
from .galleries import with_evidence, worst_and_best
from .medium import TRAIN, Figure, Medium, Prior, listed_of_images, texts_of_images
from .score_names import PROPERTIES, QUICK_NAMES, SHOWN
from .slices import CHANNELS, LAYER, scored_slices, slices_of

if TYPE_CHECKING:
    from .evaluate import Judged

IN_MEMORY = 1 << 30
"""Bytes of slices that are trained on, at most; of more, some are left out, evenly spread."""
SHOWN_VOLUMES = 6
SLICES_OF_A_VOLUME = 2
"""Slices of one volume in a gallery, at most, where other volumes have some."""
HIGHEST = "_highest"
"""Ends the name of a volume's score that is its highest slice's."""


def _texts(job: Job[Any]) -> Mapping[str, Array]:
    return texts_of_images(job, assigned_rows(job))


def _images(job: Job[Any]) -> Array:
    trained = [
        v for v, part in zip(assigned_rows(job), VOLUMES.parts(job), strict=True) if part == TRAIN and v in job.slides
    ]
    if not trained:
        return np.zeros((0, 1, 0, 0), np.uint8)
    parts = [_some(slices_of(job, volume)[0], IN_MEMORY // len(trained)) for volume in trained]
    return np.concatenate(parts)


def _some(slices: Array, limit: int) -> Array:
    """As many of a volume's slices, evenly spread, as have `limit` bytes; one at least."""
    most = max(1, limit // max(1, slices[:1].nbytes))
    return slices[np.unique(np.linspace(0, len(slices) - 1, min(most, len(slices))).astype(np.int64))]


def _prior(mean_YX: Array) -> Prior:
    from ....models.views.pasted import body_of

    return body_of(mean_YX)


def _scores(job: Job[Any]) -> dict[str, Array]:
    """Mean over each volume's slices, and the highest of them."""
    volumes = assigned_rows(job)
    names = (*QUICK_NAMES, *(f"{name}{HIGHEST}" for name in QUICK_NAMES))
    scores = {name: np.full(len(volumes), np.nan) for name in names}
    for row, volume in enumerate(volumes):
        if volume in job.slides:
            values = scored_slices(job, volume).values
            for name in QUICK_NAMES:
                scores[name][row], scores[f"{name}{HIGHEST}"][row] = values[name].mean(), values[name].max()
    return scores


def _single(job: Job[Any], rows: Array) -> tuple[dict[str, Array], Array]:
    """Scores of the slices of some volumes, and the row of each one's volume."""
    volumes = assigned_rows(job)
    parts = [scored_slices(job, volumes[row]) for row in rows]
    scores = {name: np.concatenate([part.values[name] for part in parts]) for name in QUICK_NAMES}
    return scores, np.repeat(rows, [len(part.at) for part in parts])


def _properties(job: Job[Any]) -> Mapping[str, Array]:
    """Means over each volume's slices."""
    volumes = assigned_rows(job)
    means = {name: np.full(len(volumes), np.nan) for name in PROPERTIES}
    for row, volume in enumerate(volumes):
        if volume in job.slides:
            values = scored_slices(job, volume).values
            for name in PROPERTIES:
                means[name][row] = values[name].mean()
    return means


def _galleries(job: Job[Any], judged: Judged, values: Array) -> dict[str, Figure]:
    """The least and the most usual slices, and three planes of the volumes least like those that were trained on."""
    volumes = assigned_rows(job)
    slices: list[tuple[float, int, int]] = []
    for number, row in enumerate(judged.rows):
        scored = scored_slices(job, volumes[row])
        order = np.argsort(-scored.values[SHOWN], kind="stable")
        ends = np.unique(np.concatenate([order[:SLICES_OF_A_VOLUME], order[-SLICES_OF_A_VOLUME:]]))
        slices += [(float(scored.values[SHOWN][i]), number, int(scored.at[i])) for i in ends]

    def shown(chosen: Array) -> list[ShownFilm]:
        picked = [slices[i] for i in chosen]
        images = [_slice(job, volumes[judged.rows[number]], z) for _, number, z in picked]
        lines = [
            (f"{score:.4g}  {judged.labels[n]}".strip(), f"{judged.names[n]}, slice {z}") for score, n, z in picked
        ]
        seen = np.stack(images) if images else np.zeros(0)
        return [_upright(film) for film in with_evidence(job, seen, seen, lines)]

    figures = worst_and_best(job, np.array([score for score, *_ in slices]), shown, seen="slices")
    panels = []
    for number in np.argsort(-values, kind="stable")[:SHOWN_VOLUMES]:
        volume = volumes[judged.rows[number]]
        layer, record = StoredImage.open(job.folder.layer(volume, LAYER)), job.slides[volume]
        heat = layer.read(layer.frames[0].box)[CHANNELS.index("evidence")]
        heading = f"{record.name}: {judged.labels[number] or 'no label'}, {values[number]:.3g}"
        pixels = job.stored(volume).read(record.frame.box)[0]
        sided = not record.assumed_orientation
        panels.append(planes_of(heading, pixels, heat, record.frame, layer.frames[0], top=1.0, sided=sided))
    path = draw_evidence(job.folder.out / "maps" / "planes.png", panels, title="Volumes least like those trained on")
    caption = (
        f"Planes through the strongest evidence, below with it: layers/anomaly, bright where it is sure. {seen(job)}"
    )
    figures = {name: replace(one, caption=f"{one.caption}. {axial(job)}") for name, one in figures.items()}
    return {**figures, "planes": Figure(path, caption)}


def _upright(slice_: ShownFilm) -> ShownFilm:
    """An axial slice with anterior up, as all planes are drawn."""
    evidence = None if slice_.evidence is None else slice_.evidence[::-1]
    return replace(slice_, image=slice_.image[::-1], evidence=evidence)


def _slice(job: Job[Any], volume: str, z: int) -> Array:
    slices, at = slices_of(job, volume)
    return np.asarray(slices[np.flatnonzero(at == z)[0]])


VOLUMES = Medium(
    name="volumes",
    seen="slices",
    store=lambda folder: folder.samples,
    texts=_texts,
    images=_images,
    prior=_prior,
    scores=_scores,
    properties=_properties,
    listed=lambda job, rows: listed_of_images(job, assigned_rows(job)),
    galleries=_galleries,
    single=_single,
    score="A volume's score is the mean over its axial slices, or that of the highest slice; its properties are means.",
    compared=1000,
)
