"""slides: what the networks of a run on slides are trained on: sampled patches, each with the site of its slide."""

from __future__ import annotations

import numpy as np

from ....stores.frame import Array
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.autoencoder import all_patches, budget_of
from ...steps.checkpoints import device_of
from ...steps.sample.patches import drawn, samples_slides
from .folds import cohort_of
from .networks import TrainingSet, load_network, rows_of, sites_of, train_network
from .rows import store_features
from .settings import SlideSitesSettings

SEEN = 64
"""Patches in a batch when features are computed."""
TEXTURED = 32
"""Patches of a slide whose texture is measured, at most."""


def train_on_patches(job: Job[SlideSitesSettings], unit: Unit) -> Outcome:
    """Train the network of one fold on the patches of its slides."""
    return train_network(job, unit, training_set)


def training_set(job: Job[SlideSitesSettings], name: str) -> TrainingSet:
    from ....models.networks.classifier import Classifier, widths_for
    from ....models.seeds import generator
    from ....models.training.classification import ClassificationPlan
    from ....models.views.regions import RegionViews

    owners = owner_rows(job)
    used = np.isin(owners, rows_of(job, name)[0])
    patches = all_patches(job)[used]
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
    return TrainingSet(patches, sites_of(job, name)[owners[used]], steps, network, SEEN)


def owner_rows(job: Job[SlideSitesSettings]) -> Array:
    """Row of each sampled patch's slide among the slides in use, int (n,); -1 where it was rejected since."""
    slides = list(job.slides)
    rows = [slides.index(slide) if slide in job.slides else -1 for slide in samples_slides(job)]
    return np.array(rows, np.int64)[drawn(job)[0]]


def empty_value(job: Job[SlideSitesSettings]) -> float:
    """Value, from 0 to 1, of what shows nothing: white of brightfield, else black."""
    return 1.0 if next(iter(job.slides.values())).background else 0.0


def write_mean_features(job: Job[SlideSitesSettings], unit: Unit) -> Outcome:
    """Compute the mean features of every slide's patches by one network; 0 for a slide without patches."""
    import torch

    from ....models.training.classification import features_of

    outcome = Outcome()
    with outcome.clock("read"):
        network, patches = load_network(job, unit.name).to(device_of(job)), all_patches(job)
    with outcome.clock("compute"):
        torch.set_num_threads(job.settings.threads)
        features, owners = features_of(network, patches, SEEN), owner_rows(job)
        means = np.zeros((len(job.slides), features.shape[1]), np.float32)
        for row in np.unique(owners[owners >= 0]):
            means[row] = features[owners == row].mean(0, dtype=np.float64)
    with outcome.clock("write"):
        outcome.files += store_features(job, unit.name, means)
    return outcome


def measure_patches(job: Job[SlideSitesSettings], unit: Unit) -> Outcome:
    """Measure the colours and the texture of some of a slide's patches; the receipt holds their means."""
    from ....models.evaluation.texture import intensity_features, structure_features

    outcome = Outcome()
    with outcome.clock("read"):
        patches = patches_of(job, unit.slide, TEXTURED)
    with outcome.clock("compute"):
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
        record, side = job.slides[slide], job.settings.patch
        return np.full((1, record.channels, side, side), empty_value(job), np.float32)
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, most).round().astype(int))]
    patches = all_patches(job)[chosen]
    return np.asarray(patches / np.iinfo(patches.dtype).max, np.float32)
