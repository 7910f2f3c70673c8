"""usual_pace: the seconds of steps that many runs have, by counts of images, and of trainings by a trial of the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...stores.remote import ObjectPath, to_path
from ..compute.gpus import gpus
from ..compute.trial import busy, passes
from ..pipeline.job import Job

CONVERT_SECONDS, PREPARE_SECONDS = 1e-7, 2e-7
"""Seconds of a pixel or voxel that is converted, and of a voxel that is resampled. These and the following are seconds of one
core."""
FILM_SECONDS, BYTE_SECONDS, MAX_FILES = 3e-3, 1e-8, 100
"""Seconds of a film that is read, and of a byte of its file; files whose size is looked at, spread over all."""
IMAGE_SECONDS, PAGE_SECONDS = 0.3, 1.5
"""Seconds of the pictures of an image, and of a report."""

CHEAP_STEPS = frozenset(
    {
        "card",
        "curves",
        "divide",
        "draw",
        "fine_tune",
        "folds",
        "groups",
        "index",
        "labels",
        "layers",
        "match",
        "normalize",
        "order_clusters",
        "overview",
        "overviews",
        "plan",
        "pyramid",
        "rows",
        "split",
        "stains",
        "take",
        "versions",
    }
)
"""Steps of a few seconds, or that others are counted with (`heads` with `fine_tune`): a forecast leaves them out. Of all other
steps it has the seconds, or says that they are not known."""


@dataclass(frozen=True, slots=True)
class Trainings:
    """Trainings of one network in a step, and the images that the trained ones then see."""

    key: Hashable
    """Of the network, among all that this process makes."""
    network: Callable[[], Any]
    """The untrained network: (B, C, *sides) -> a tensor, or several."""
    image: tuple[int, ...]
    """(C, *sides) of the images."""
    images: Sequence[int]
    """For each training, images that its steps see: steps times images of a batch."""
    seen: int = 0
    """Images that the trained networks see in a later step."""


def on_gpu(job: Job[Any]) -> bool:
    """Whether networks run on a GPU, whose pace no trial on the CPU tells."""
    return bool(job.settings.device == "cuda" or (job.settings.device == "auto" and gpus()))


def trained_seconds(job: Job[Any], trainings: Trainings, workers: int) -> tuple[float | None, float | None]:
    """Seconds of the trainings, and of the images that trained networks see, by so many workers (0: this process)."""
    if on_gpu(job):
        return None, None
    step, forward = passes(trainings.key, trainings.network, trainings.image, job.settings.threads or 1)
    rounds = math.ceil(len(trainings.images) / max(1, workers))
    longest = sorted(trainings.images, reverse=True)[:rounds] if workers else trainings.images
    return sum(longest) * step, trainings.seen * forward / max(1, workers)


def usual_seconds(
    job: Job[Any],
    names: Collection[str],
    workers: int,
    *,
    known: Mapping[str, float | None] | None = None,
    unknown: Collection[str] = (),
) -> dict[str, float | None]:
    """Name of a step (of `names`) -> seconds: of steps that many runs have, of the run's own in `known`, None for `unknown` and
    for all others but the cheap ones."""
    slower = busy()
    shared = slower / max(1, workers)
    cells = sum(math.prod(record.shape) for record in job.slides.values())
    seconds: dict[str, float | None] = {
        "pixels": cells * CONVERT_SECONDS * shared,
        "prepare": cells * PREPARE_SECONDS * shared,
        "films": _film_seconds(job) * shared if "films" in names else 0.0,
        "maps": IMAGE_SECONDS * len(job.slides) * shared,
        "report": PAGE_SECONDS * slower,
        **(known or {}),
        **dict.fromkeys(unknown),
    }
    return forecast_of(seconds, names)


def forecast_of(seconds: Mapping[str, float | None], names: Collection[str]) -> dict[str, float | None]:
    """Name of a step (of `names`) -> its seconds; None where it has none, and is not cheap.

    >>> forecast_of({"pixels": 2.0}, ["pixels", "layers", "evaluate"])
    {'pixels': 2.0, 'evaluate': None}
    """
    return {name: seconds.get(name) for name in names if name in seconds or name not in CHEAP_STEPS}


def _film_seconds(job: Job[Any]) -> float:
    """Seconds of the reading of all films, by the sizes of some files; those of an object store are not looked at."""
    films = sum(record.shape[0] for record in job.slides.values())
    paths = list(dict.fromkeys(film.path for record in job.slides.values() for film in record.films))
    looked_at = [to_path(path) for path in paths[:: -(-len(paths) // MAX_FILES)]] if paths else []
    sizes = [path.stat().st_size for path in looked_at if not isinstance(path, ObjectPath) and path.exists()]
    mean = sum(sizes) / len(sizes) if sizes else 0.0
    return films * FILM_SECONDS + len(paths) * mean * BYTE_SECONDS


def counted(*unknown: str) -> Callable[[Any, Any, Collection[str], int], dict[str, float | None]]:
    """`Pipeline.seconds` of a run whose own long steps, those named, nobody can tell before they have begun."""

    def seconds(job: Any, sizes: Any, names: Collection[str], workers: int) -> dict[str, float | None]:
        return usual_seconds(job, names, workers, unknown=unknown)

    return seconds
