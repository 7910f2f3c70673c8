"""pace: the seconds that each step of a run on tiles takes, by its counts and a short trial of the network on this machine."""

from __future__ import annotations

import math
from typing import Any, cast

from ...stores.image import StoredImage
from ..compute.gpus import gpus
from ..compute.machine import available_threads
from ..compute.trial import busy, trial
from ..pipeline.job import Job
from ..pipeline.spec import Estimate
from .estimate import Estimate as TileEstimate
from .settings import PatchSettings, SampledSettings

TISSUE_SHARE = 0.5
"""Share of tiles on tissue, until the tissue is found."""
CONVERT_SECONDS, READ_SECONDS = 1e-7, 4e-4
"""Seconds of a pixel that is converted, and of a patch that is read. These and the following are seconds of one core."""
K_SECONDS, TUNE_SECONDS, NUMBER_POINTS = 1.2, 4.0, 3000
"""Seconds of a K that is looked at, and of heads, fine-tuning and division, for this many patches or more."""
LAYOUT_SECONDS, ROW_SECONDS = 5.0, 1e-4
"""Seconds of a UMAP of its largest sample, and of each row that is placed in it, and that is written."""
IMAGE_SECONDS, PAGE_SECONDS = 0.6, 3.0
"""Seconds of the pictures of an image, and of a report."""


def seconds_of_steps(job: Job[PatchSettings], sizes: Estimate, workers: int = 0) -> dict[str, float]:
    """Name of the step -> seconds, by this many workers of one thread, or in this process; empty where the network runs on a
    GPU, or is one from elsewhere."""
    settings = job.settings
    on_gpu = settings.device == "cuda" or (settings.device == "auto" and gpus())
    if on_gpu or settings.encoder_file or not isinstance(sizes, TileEstimate):
        return {}
    channels = max(record.channels for record in job.slides.values())
    axes, threads, views = len(job.modality.axes), settings.threads or 1, job.modality.views
    trials = [trial(channels, (side,) * axes, threads, views) for side in settings.sides]  # a network for each size
    step, view, embed = (sum(one[i] for one in trials) for i in range(3))
    slower = busy()
    tiles = sizes.tiles * _tissue_share(job)
    known = {
        "convert": sizes.pixels * CONVERT_SECONDS * slower / max(1, workers),
        "tiles": tiles * embed / (workers or available_threads()),
        "layout": (LAYOUT_SECONDS + tiles * ROW_SECONDS) * slower if settings.umap else 0.0,
        "table": tiles * ROW_SECONDS * slower,
        "pictures": IMAGE_SECONDS * len(job.slides) * slower / max(1, workers),
        "report": PAGE_SECONDS * slower,
    }
    if isinstance(settings, SampledSettings):
        from .autoencoder import budget_of

        plan = budget_of(cast("Job[SampledSettings]", job), sizes.samples)
        share = min(1.0, plan.patches / NUMBER_POINTS)
        low, high = settings.named.get("k", (1, 1))
        known |= {
            "read": plan.patches * READ_SECONDS * slower / max(1, workers),
            "autoencoder": plan.reconstruction * step,
            "view_embeddings": plan.patches * plan.views * view,
            "number": (high - low + 1) * K_SECONDS * share * slower,
            "heads": TUNE_SECONDS * share * slower,
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
