"""slides: slides as rows of the run, and their tiles of tissue as images: sampled ones to learn, all of them to score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ....stores.frame import Array
from ....stores.image import StoredImage
from ...pipeline.job import Job
from ...show.film_gallery import ShownFilm
from ...steps.autoencoder import all_patches
from ...steps.normalization import prepare_of
from ...steps.sample.patches import drawn, samples_slides
from ...steps.sample.read import read_patches
from .galleries import SHOWN_IMAGES, with_evidence, worst_and_best
from .medium import TRAIN, Figure, Medium, listed_of_images, texts_of_images
from .score_names import PROPERTIES, QUICK_NAMES, SHOWN
from .tiles import LAYER, TONE

if TYPE_CHECKING:
    from ....models.batches import Patches
    from .evaluate import Judged

TOP_SHARE = 0.01
"""Share of a slide's tiles, those of the highest scores, whose mean is the slide's score."""
TILES_OF_A_SLIDE = 4
"""Tiles of one slide in a gallery, at most, where other slides have some."""


def _texts(job: Job[Any]) -> Mapping[str, Array]:
    return texts_of_images(job, samples_slides(job))


def _images(job: Job[Any]) -> Patches:
    from ....models.batches import Selection

    in_use = np.array([slide in job.slides for slide in samples_slides(job)])
    owners = drawn(job)[0]
    return Selection(all_patches(job), np.flatnonzero((SLIDES.parts(job)[owners] == TRAIN) & in_use[owners]))


@dataclass(frozen=True, slots=True)
class _Tiles:
    """The scored tiles of one slide."""

    row: int
    """Of the slide."""
    at: Array
    """(n, 2): cell of each tile."""
    scores: Array
    """(score, n)"""
    tones: Array
    """(property, n)"""


def _tiles(job: Job[Any]) -> Iterator[_Tiles]:
    """Tiles of every slide in use, slide after slide."""
    for row, slide in enumerate(samples_slides(job)):
        if slide in job.slides:
            scores, tones = (_field(job, slide, name) for name in (LAYER, TONE))
            inside = tones[-1] > 0  # a packed tile has bytes
            yield _Tiles(row, np.argwhere(inside), scores[:, inside], tones[:, inside])


def _field(job: Job[Any], slide: str, name: str) -> Array:
    layer = StoredImage.open(job.folder.layer(slide, name))
    return layer.read(layer.frames[0].box)


def _scores(job: Job[Any]) -> dict[str, Array]:
    """Mean of the highest scores of each slide's tiles."""
    values = np.full((len(QUICK_NAMES), len(samples_slides(job))), np.nan)
    for tiles in _tiles(job):
        if len(tiles.at):
            values[:, tiles.row] = top_mean(tiles.scores)
    return dict(zip(QUICK_NAMES, values, strict=True))


def top_mean(scores: Array, share: float = TOP_SHARE) -> Array:
    """Mean of the highest `share` of scores (score, n), of one at least: (score,).

    >>> top_mean(np.arange(200.0)[None]).tolist()
    [198.5]
    """
    count = max(1, round(share * scores.shape[1]))
    return np.asarray(np.sort(scores.astype(np.float64), 1)[:, -count:].mean(1))


def _single(job: Job[Any], rows: Array) -> tuple[dict[str, Array], Array]:
    """Scores of the tiles of some slides, and the row of each one's slide."""
    parts = [tiles for tiles in _tiles(job) if tiles.row in rows]
    scores = np.concatenate([tiles.scores for tiles in parts], 1)
    owners = np.repeat([tiles.row for tiles in parts], [len(tiles.at) for tiles in parts])
    return dict(zip(QUICK_NAMES, scores, strict=True)), owners


def _properties(job: Job[Any]) -> Mapping[str, Array]:
    """Means over each slide's tiles."""
    values = np.full((len(PROPERTIES), len(samples_slides(job))), np.nan)
    for tiles in _tiles(job):
        if len(tiles.at):
            values[:, tiles.row] = tiles.tones.mean(1, dtype=np.float64)
    return dict(zip(PROPERTIES, values, strict=True))


def _galleries(job: Job[Any], judged: Judged, values: Array) -> dict[str, Figure]:
    """The least and the most usual tiles of judged slides, a few of each slide."""
    slides, best = samples_slides(job), QUICK_NAMES.index(SHOWN)
    least = max(TILES_OF_A_SLIDE, -(-SHOWN_IMAGES // max(1, len(judged.rows))))
    tiles: list[tuple[float, int, Array]] = []
    for part in _tiles(job):
        if part.row in judged.rows:
            order = np.argsort(-part.scores[best], kind="stable")
            ends = np.unique(np.concatenate([order[:least], order[-least:]]))
            tiles += [(float(part.scores[best, i]), part.row, part.at[i]) for i in ends]
    names = {row: (name, label) for row, name, label in zip(judged.rows, judged.names, judged.labels, strict=True)}

    def shown(chosen: Array) -> list[ShownFilm]:
        picked = [tiles[i] for i in chosen]
        if not picked:
            return []
        pixels = [_pixels(job, slides[row], at) for _, row, at in picked]
        images, seen = (np.concatenate(each) for each in zip(*pixels, strict=True))
        lines = [(f"{score:.4g}  {names[row][1]}".strip(), str(names[row][0])) for score, row, _ in picked]
        return with_evidence(job, images, seen, lines)

    return worst_and_best(job, np.array([score for score, *_ in tiles]), shown, seen="tiles")


def _pixels(job: Job[Any], slide: str, at: Array) -> tuple[Array, Array]:
    """A tile (1, C, side, side) as it is, and as networks see it."""
    settings = job.settings
    start = at[None] * settings.step - (settings.side - settings.step) // 2
    pixels = read_patches(job.image(slide), start, settings.side)
    return pixels, prepare_of(job, slide)(pixels.copy(), start)


SLIDES = Medium(
    name="slides",
    seen="tiles",
    store=lambda folder: folder.samples,
    texts=_texts,
    images=_images,
    prior=lambda mean: None,
    scores=_scores,
    properties=_properties,
    listed=lambda job, rows: listed_of_images(job, samples_slides(job)),
    galleries=_galleries,
    single=_single,
    score="A slide's score is the mean of the highest 1 % of its tiles' scores; its properties are means over its tiles.",
    compared=1000,
    trains_on_all=True,
)
