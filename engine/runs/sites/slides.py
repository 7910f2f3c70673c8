"""slides: what the networks of a run on slides are trained on: sampled patches, each with the site of its slide."""

from __future__ import annotations

import numpy as np

from ....stores.array import StoredArray
from ....stores.frame import Array, Box
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.autoencoder import all_patches, budget_of
from ...steps.sample.patches import drawn, samples_slides
from .folds import cohort_of
from .networks import TrainingSet
from .settings import SlideSitesSettings

SEEN = 64
"""Patches in a batch when features are computed."""
TEXTURED = 32
"""Patches of a slide whose texture is measured, at most."""


def patches_to_learn(job: Job[SlideSitesSettings]) -> TrainingSet:
    """All sampled patches, and a network for them."""
    from ....models.networks.classifier import Classifier, widths_for
    from ....models.seeds import generator
    from ....models.training.classification import ClassificationPlan
    from ....models.views.regions import RegionViews

    patches = all_patches(job)
    plan = budget_of(job, len(patches))
    network = Classifier(
        len(cohort_of(job).names),
        channels=patches.shape[1],
        axes=2,
        widths=widths_for(patches.shape[2:]),
        source=generator(job.settings.seed, "site network"),
    )
    views = RegionViews(fill=empty_value(job))
    steps = ClassificationPlan(plan.reconstruction, plan.batch, views=views)
    return TrainingSet(patches, owner_rows(job), steps, network, SEEN)


def owner_rows(job: Job[SlideSitesSettings]) -> Array:
    """Row of each sampled patch's slide among the slides in use, int (n,); -1 where it was rejected since."""
    places = {slide: row for row, slide in enumerate(job.slides)}
    rows = [places.get(slide, -1) for slide in samples_slides(job)]
    return np.array(rows, np.int64)[drawn(job)[0]]


def empty_value(job: Job[SlideSitesSettings]) -> float:
    """Value, from 0 to 1, of what shows nothing: white of brightfield, else black."""
    return 1.0 if next(iter(job.slides.values())).background else 0.0


def measure_patches(job: Job[SlideSitesSettings], unit: Unit) -> Outcome:
    """Measure the colours and the texture of some of a slide's patches; the receipt holds their means."""
    from threadpoolctl import threadpool_limits

    from ....models.evaluation.texture import intensity_features, structure_features

    outcome = Outcome()
    with outcome.clock("read"):
        patches = patches_of(job, unit.slide, TEXTURED)
    with outcome.clock("compute"), threadpool_limits(1):  # the last digits depend on the threads
        inside = np.ones(patches.shape[2:], bool)
        colours = [np.concatenate([intensity_features(plane, inside) for plane in patch]) for patch in patches]
        structure = [structure_features(patch.mean(0), inside) for patch in patches]
        outcome.facts["intensity"] = np.mean(colours, 0).tolist()
        outcome.facts["structure"] = np.mean(structure, 0).tolist()
    return outcome


def patches_of(job: Job[SlideSitesSettings], slide: str, most: int) -> Array:
    """Up to `most` sampled patches of a slide, evenly spread over them, float32 (n, C, y, x) from 0 to 1; one empty patch
    for a slide without any."""
    rows = np.flatnonzero(owner_rows(job) == list(job.slides).index(slide))
    if not len(rows):
        record, side = job.slides[slide], job.settings.side
        return np.full((1, record.channels, side, side), empty_value(job), np.float32)
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, most).round().astype(int))]
    array = StoredArray.open(job.folder.samples / "patches")  # all of a large cohort do not fit in memory
    patch = array.spec.shape[1:]
    patches = np.concatenate([array.read(Box((row, *[0] * len(patch)), (row + 1, *patch))) for row in chosen.tolist()])
    return np.asarray(patches / np.iinfo(patches.dtype).max, np.float32)
