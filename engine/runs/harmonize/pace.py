"""pace: the seconds of a run that harmonizes: of its training and of its generator, by a trial of their steps and passes."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ....models.harmonization.blur import mean_spectrum, relative_blur
from ...compute.trial import passes, step_seconds
from ...pipeline.job import Job
from ...pipeline.spec import Estimate
from ...steps.usual_pace import on_gpu, usual_seconds
from . import gan, light
from .settings import HarmonizeSettings
from .sites import sites_of

if TYPE_CHECKING:
    from ....models.networks.sharpener import Sharpener
    from ....models.training.cyclegan import CycleGan, Pair
    from ....models.training.sharpening import Sharpening

UNKNOWN = ("measure", "seams", "judge")
"""Steps that hang on what the images hold."""
TRAINED = ("generator", "harmonize")


def seconds_of_harmonizing(
    job: Job[HarmonizeSettings], sizes: Estimate, names: Collection[str], workers: int
) -> dict[str, float | None]:
    """Name of a step -> seconds, by so many workers (0: this process)."""
    known: dict[str, float | None] = {}
    if set(TRAINED) & set(names):
        known = dict.fromkeys(TRAINED) if on_gpu(job) else dict(zip(TRAINED, _seconds(job, workers), strict=True))
    return usual_seconds(job, names, workers, known=known, unknown=UNKNOWN)


def _seconds(job: Job[HarmonizeSettings], workers: int) -> tuple[float, float]:
    """Seconds of the training, and of the generator over all images that are harmonized."""
    settings, sites = job.settings, sites_of(job)
    axes, threads = settings.network_axes, settings.threads or 1
    channels = max(record.channels for record in job.slides.values())
    piece = (channels, *(settings.piece_side,) * axes)
    key = (settings.generator, settings.first_width, piece)
    network: Any
    if settings.generator == "light":
        step = step_seconds(key, partial(_sharpening, job, piece), threads)
        steps: float = max(10, round(light.SHARPEN_STEPS * settings.effort))
        if axes == 3 and channels == 1:  # a network that adapts the tone is trained, too
            shift_steps = max(10, round(light.SHIFT_STEPS * settings.effort))
            steps += shift_steps / (light.SHARPEN_COST * math.prod(piece))
        train = step * steps * math.ceil(len(sites.sources) / max(1, workers))
        network = partial(_sharpener, job, piece)
    else:
        train = step_seconds(key, partial(_cyclegan, job, piece), threads) * max(10, round(gan.STEPS * settings.effort))
        network = partial(gan.untrained, job, channels, "forward")
    forward = passes(("harmonize", key), network, piece, 1)[1] / math.prod(piece[1:])
    cells = sum(math.prod(job.slides[image].shape) for image in sites.harmonized)
    times = len(job.modality.axes) if axes < len(job.modality.axes) else 1  # slices along each axis
    return train, forward * cells * times / max(1, workers)


def _cyclegan(job: Job[HarmonizeSettings], piece: tuple[int, ...]) -> CycleGan:
    from ....models.training.cyclegan import CycleGan, Weights

    channels, weights = piece[0], Weights(job.settings.cycle_weight, job.settings.identity, gan.POOLS[len(piece) - 1])
    forward, site = gan.untrained(job, channels, "forward"), gan.site_networks(job, 0, channels)
    pair = _pair(piece)
    return CycleGan(forward, (site,), lambda index: (0, pair), 10, piece=piece, weights=weights)


def _pair(piece: tuple[int, ...]) -> Pair:
    import torch

    from ....models.training.cyclegan import Pair

    batch = gan.BATCHES[len(piece) - 1]
    images, masks = torch.rand(batch, *piece), torch.ones(batch, 1, *piece[1:])
    return Pair(images, masks, images, masks)


def _sharpener(job: Job[HarmonizeSettings], piece: tuple[int, ...]) -> Sharpener:
    from ....models.networks.sharpener import Sharpener
    from ....models.seeds import generator

    return Sharpener(piece[0], len(piece) - 1, job.settings.first_width, (), generator(0, "sharpener"))


def _sharpening(job: Job[HarmonizeSettings], piece: tuple[int, ...]) -> Sharpening:
    import torch

    from ....models.training.sharpening import Sharpening

    values = np.random.default_rng(0).random((light.BATCH, *piece), np.float32)
    spectrum = mean_spectrum(values.reshape(-1, *piece[1:]))
    pieces = torch.from_numpy(values), torch.ones(light.BATCH, 1, *piece[1:])
    blur = relative_blur(spectrum, spectrum, job.settings.piece_side)
    return Sharpening(_sharpener(job, piece), lambda index: pieces, blur, 10, data_range=1.0)
