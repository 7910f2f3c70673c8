"""pace: the seconds that each step of a run on tiles takes, by its counts and a short trial of the network on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ...stores.image import StoredImage
from ..compute.gpus import gpus
from ..compute.machine import available_threads
from ..pipeline.job import Job
from ..pipeline.spec import Estimate
from .estimate import Estimate as TileEstimate
from .settings import PatchSettings, SampledSettings

TRIAL_SECONDS = 2.0
"""Seconds of each of the two trials, about; a single training step that takes longer is scaled from a smaller one."""
SMALL_BATCH = 8
TISSUE_SHARE = 0.5
"""Share of tiles on tissue, until the tissue is found."""
CONVERT_SECONDS, READ_SECONDS = 1.5e-7, 6e-4
"""Seconds of a pixel that is converted, and of a patch that is read: measured on two cores (docs/benchmarks.md)."""
NUMBER_SECONDS, NUMBER_POINTS = 25.0, 3000
"""Seconds in which the number of clusters is chosen from this many patches or more."""
LAYOUT_SECONDS, ROW_SECONDS = 9.0, 1.2e-4
"""Seconds of a UMAP of its largest sample, and of each row that is placed in it and written."""
IMAGE_SECONDS, PAGE_SECONDS = 1.0, 6.0
"""Seconds of the pictures of an image, and of a report."""


def seconds_of_steps(job: Job[PatchSettings], sizes: Estimate, workers: int = 0) -> dict[str, float]:
    """Name of the step -> seconds, by this many workers of one thread, or in this process; empty where the network runs on a
    GPU, or is one from elsewhere."""
    settings = job.settings
    on_gpu = settings.device == "cuda" or (settings.device == "auto" and gpus())
    if on_gpu or settings.encoder_file or not isinstance(sizes, TileEstimate):
        return {}
    channels = max(record.channels for record in job.slides.values())
    trains = isinstance(settings, SampledSettings)
    axes, threads, views = len(job.modality.axes), settings.threads or 1, job.modality.views
    trials = [_trial(channels, (side,) * axes, threads, views) for side in settings.sides]  # a network for each size
    step, view, embed = map(sum, zip(*trials, strict=True))
    tiles = sizes.tiles * _tissue_share(job)
    known = {
        "convert": sizes.pixels * CONVERT_SECONDS / max(1, workers),
        "tiles": tiles * embed / (workers or available_threads()),
        "layout": LAYOUT_SECONDS + tiles * ROW_SECONDS if settings.umap else 0.0,
        "table": tiles * ROW_SECONDS,
        "pictures": IMAGE_SECONDS * len(job.slides),
        "report": PAGE_SECONDS,
    }
    if trains:
        from .autoencoder import budget_of

        plan = budget_of(job, sizes.samples)
        share = min(1.0, plan.patches / NUMBER_POINTS)
        known |= {
            "read": plan.patches * READ_SECONDS / max(1, workers),
            "autoencoder": plan.reconstruction * step,
            "view_embeddings": plan.patches * plan.views * view,
            "number": NUMBER_SECONDS * share,
            "heads": plan.heads * 0.01,
            "divide": 2.0 * share,
        }
    return {name: seconds for name, seconds in known.items() if name in job.pipeline.steps}


def _tissue_share(job: Job[Any]) -> float:
    """Share of the images that is tissue, by the coarsest level of each mask; a guess until all masks are there."""
    paths = [job.folder.label(image, "tissue") for image in job.slides]
    if not all((path / "zarr.json").exists() for path in paths):
        return TISSUE_SHARE
    areas, tissue = 0.0, 0.0
    for path in paths[:: -(-len(paths) // 50)]:
        stored = StoredImage.open(path)
        level = len(stored.frames) - 1
        mask = stored.read(stored.frames[level].box, level)
        size = math.prod(stored.frames[0].shape)
        areas, tissue = areas + size, tissue + size * float((mask == 1).mean())
    return tissue / areas if areas else TISSUE_SHARE


@cache
def _trial(
    channels: int, patch: tuple[int, ...], threads: int, views_of: Callable[[float], Any]
) -> tuple[float, float, float]:
    """Seconds of a training step of the autoencoder, of a view that is drawn and embedded, and of a patch that one thread
    embeds, on random patches."""
    import torch

    from ...models.networks.autoencoder import Autoencoder
    from ...models.seeds import generator
    from ...models.training.reconstruction import Reconstruction

    batch = 64  # of `budget`
    axes = len(patch)
    patches = np.random.default_rng(0).integers(0, 255, (batch, channels, *patch), np.uint8)
    network = Autoencoder(channels, patch[0], source=generator(0, "trial"), axes=axes, pooled=axes == 2)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        phases = {n: Reconstruction(network, patches, 4, n, views=views_of(1.0)) for n in (SMALL_BATCH, batch)}
        _seconds(lambda: phases[SMALL_BATCH].step(0), once=True)  # the first one prepares
        step = _seconds(lambda: phases[SMALL_BATCH].step(1), once=True) * batch / SMALL_BATCH
        if step < TRIAL_SECONDS:
            step = _seconds(lambda: phases[batch].step(0))
        with torch.inference_mode():
            few, draw_view = torch.from_numpy(patches[:SMALL_BATCH]).float() / 255, views_of(1.0)
            network.encode(few)
            view = _seconds(lambda: network.encode(draw_view(few, generator(0, "trial")))) / SMALL_BATCH
            torch.set_num_threads(1)
            embed = _seconds(lambda: network.encode(few)) / SMALL_BATCH
    finally:
        torch.set_num_threads(before)
    return step, view, embed


def _seconds(work: Callable[[], Any], *, once: bool = False) -> float:
    """Seconds of a call: the median of up to three within `TRIAL_SECONDS`."""
    times: list[float] = []
    while not times or (not once and len(times) < 3 and sum(times) < TRIAL_SECONDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]
