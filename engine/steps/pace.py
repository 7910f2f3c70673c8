"""pace: the seconds that each step of a run on tiles takes, by its counts and a short trial of the network on this machine."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, cast

from ...stores.image import StoredImage
from ..compute.machine import available_threads
from ..compute.trial import busy, trial
from ..pipeline.job import Job
from ..pipeline.spec import Estimate
from .estimate import Estimate as TileEstimate
from .settings import PatchSettings, SampledSettings
from .usual_pace import CONVERT_SECONDS, IMAGE_SECONDS, PAGE_SECONDS, forecast_of, on_gpu

TISSUE_SHARE, MAX_MASKS = 0.5, 50
"""Share of tiles on tissue, until the tissue is found; masks that are looked at, at most, spread over all images."""
NETWORK_STEPS = frozenset({"autoencoder", "view_embeddings", "tiles"})
"""Steps whose seconds are those of the network."""
UNKNOWN_STEPS = frozenset({"pairs", "stain_effects"})
"""Steps that may take long, and whose seconds nobody can tell before they have begun."""
FEW_PATCHES, USUAL, USUAL_CELLS = 20_000, (0.05, 1e-3, 1e-3), 32**2
"""With fewer patches for the network to see, a trial takes longer than it is worth; usual seconds of what `trial` measures, for
patches of so many cells: larger ones take longer in proportion."""
READ_SECONDS = 2e-4
"""Seconds of a patch that is read. These and the following are seconds of one core."""
K_SECONDS, TUNE_SECONDS, NUMBER_POINTS = 1.2, 2.0, 3000
"""Seconds of a K that is looked at, and of heads, fine-tuning and division, for this many patches or more."""
LAYOUT_SECONDS, LAYOUT_ROWS, ROW_SECONDS = 2.5, 3000, 3e-5
"""Seconds of a UMAP of so many rows, its largest sample about, and of each row that is placed in it, and that is written."""
MEANWHILE = 0.5
"""Seconds of pictures that are drawn in a second of the UMAP, without workers."""


def seconds_of_steps(
    job: Job[PatchSettings], sizes: Estimate, names: Collection[str], workers: int = 0
) -> dict[str, float | None]:
    """Name of a step (of `names`, those to do) -> seconds, by this many workers of one thread, or in this process; None for
    `UNKNOWN_STEPS`, and for those of the network where it runs on a GPU, or is one from elsewhere."""
    from .autoencoder import budget_of

    settings = job.settings
    if not isinstance(sizes, TileEstimate):
        return {}
    is_other = on_gpu(job) or bool(settings.encoder_file) or "trained" in job.pipeline.variant.name
    slower, tiles = busy(), sizes.tiles * _tissue_share(job)
    plan = (
        budget_of(cast("Job[SampledSettings]", job), sizes.samples) if isinstance(settings, SampledSettings) else None
    )
    views = plan.views if plan and settings.named.get("several_views") else 1
    seen = tiles + (plan.reconstruction * plan.batch + plan.patches * views if plan else 0)
    is_tried = seen >= FEW_PATCHES and NETWORK_STEPS & set(names) and not is_other
    step, view, embed = _trials(job) if is_tried else _usual(job, slower)
    layout = (LAYOUT_SECONDS * min(1.0, tiles / LAYOUT_ROWS) + tiles * ROW_SECONDS) * slower if settings.umap else 0.0
    pictures = IMAGE_SECONDS * len(job.slides) * slower / max(1, workers)
    if "layout" in names and not workers:
        pictures = max(0.0, pictures - MEANWHILE * layout)
    known: dict[str, float | None] = {
        "pixels": sizes.pixels * CONVERT_SECONDS * slower / max(1, workers),
        "tiles": tiles * embed / (workers or available_threads()),
        "layout": layout,
        "table": tiles * ROW_SECONDS * slower,
        "pictures": pictures,
        "report": PAGE_SECONDS * slower,
    }
    if plan:
        share = min(1.0, plan.patches / NUMBER_POINTS)
        low, high = settings.named.get("k", (1, 1))
        known |= {
            "patches": plan.patches * READ_SECONDS * slower / max(1, workers),
            "autoencoder": plan.reconstruction * step,
            "view_embeddings": plan.patches * views * view,
            "number": (high - low + 1) * K_SECONDS * share * slower,
            "heads": TUNE_SECONDS * share * slower,
        }
    known |= dict.fromkeys(UNKNOWN_STEPS) | (dict.fromkeys(NETWORK_STEPS) if is_other else {})
    return forecast_of(known, names)


def _usual(job: Job[PatchSettings], slower: float) -> tuple[float, ...]:
    """Seconds as `trial` gives them, of patches of the run's sizes, on a machine that is so much slower than an idle one."""
    cells = sum(side ** len(job.modality.axes) for side in job.settings.sides)
    return tuple(seconds * slower * cells / USUAL_CELLS for seconds in USUAL)


def _trials(job: Job[PatchSettings]) -> tuple[float, ...]:
    """Seconds as `trial` gives them, of a network for each size of patch."""
    channels = max(record.channels for record in job.slides.values())
    axes, threads = len(job.modality.axes), job.settings.threads or 1
    trials = [trial(channels, (side,) * axes, threads, job.modality.views) for side in job.settings.sides]
    return tuple(map(sum, zip(*trials, strict=True)))


def _tissue_share(job: Job[Any]) -> float:
    """Share of the images that is tissue, by the coarsest level of some of the masks; a guess until these are there."""
    images = list(job.slides)[:: -(-len(job.slides) // MAX_MASKS)]
    paths = [job.folder.label(image, "tissue") for image in images]
    if not all((path / "zarr.json").exists() for path in paths):
        return TISSUE_SHARE
    areas, tissue = 0.0, 0.0
    for path in paths:
        stored = StoredImage.open(path)
        level = len(stored.frames) - 1
        mask = stored.read(stored.frames[level].box, level)
        size = math.prod(stored.frames[0].shape)
        areas, tissue = areas + size, tissue + size * float((mask == 1).mean())
    return tissue / areas if areas else TISSUE_SHARE
