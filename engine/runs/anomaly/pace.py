"""pace: the seconds of a run that scores anomalies: of its trainings, by a trial of their steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from ...compute.trial import step_seconds
from ...pipeline.job import Job
from ...pipeline.spec import Estimate
from ...steps.usual_pace import on_gpu, usual_seconds
from .spotters import STEPS as SPOTTER_STEPS
from .spotters import WIDTHS
from .train import STEPS as VAE_STEPS
from .train import VAE

UNKNOWN = ("tiles", "scores", "evaluate")
"""Steps that hang on how many draws an image needs, and on how many rows are judged."""
TRIED_IMAGES = 64


def seconds_of_scores(
    job: Job[Any],
    sizes: Estimate,
    names: Collection[str],
    workers: int,
    *,
    image: Callable[[Job[Any]], tuple[int, int]],
) -> dict[str, float | None]:
    """Name of a step -> seconds, by so many workers (0: this process). `image`: channels and side of what networks see."""
    known: dict[str, float | None] = {}
    if {VAE, "spotters"} & set(names):
        known = dict.fromkeys((VAE, "spotters")) if on_gpu(job) else _trainings(job, image(job), workers)
    return usual_seconds(job, names, workers, known=known, unknown=UNKNOWN)


def _trainings(job: Job[Any], image: tuple[int, int], workers: int) -> dict[str, float | None]:
    from ....models.networks.spotter import Spotter
    from ....models.networks.vae import Vae
    from ....models.seeds import generator
    from ....models.training.pasting import Pasting, PastingPlan
    from ....models.training.variational import Variational, VariationalPlan

    settings, (channels, side) = job.settings, image
    images = np.random.default_rng(0).integers(0, 255, (TRIED_IMAGES, channels, side, side), np.uint8)

    def variational() -> Variational:
        vae = Vae(side, channels, **settings.vae, source=generator(0, VAE))
        return Variational(vae, images, VariationalPlan(VAE_STEPS))

    def pasting() -> Pasting:
        return Pasting(Spotter(channels, WIDTHS, source=generator(0, "spotter")), images, PastingPlan(SPOTTER_STEPS))

    threads, steps = settings.threads or 1, max(10, round(VAE_STEPS * settings.effort))
    key = (VAE, image, tuple(settings.vae.items()))
    step = None if settings.trains_as_source else step_seconds(key, variational, threads)
    rounds = math.ceil(settings.spotters / max(1, workers))
    spotter = max(10, round(SPOTTER_STEPS * settings.effort)) * step_seconds(("spotter", image), pasting, threads)
    return {VAE: None if step is None else steps * step, "spotters": rounds * spotter}
