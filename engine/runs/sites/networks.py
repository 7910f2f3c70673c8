"""networks: the classifiers of the run, one a fold; a fold's network judges images of subjects that it was not trained on.

Networks named `shuffled-1`, `shuffled-2` ... learn sites that were shuffled among subjects, as a control: each on one fold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ....stores.frame import Array
from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import checkpoint_slot, device_of, read_record, save_model
from .documents import SiteRecord
from .folds import cohort_of, folds_of
from .settings import FoldSettings

if TYPE_CHECKING:
    from ....models.batches import Patches
    from ....models.networks.classifier import Classifier
    from ....models.training.classification import ClassificationPlan

SHUFFLED = "shuffled"


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Images of a training, whichever the modality, and how they are trained on."""

    images: Patches
    labels: Array
    """int (n,): site of each."""
    plan: ClassificationPlan
    network: Classifier
    """Untrained."""
    batch: int
    """Images in a batch when features are computed."""


def training_units(job: Job[FoldSettings], step: str) -> Iterator[Unit]:
    for name in (*folds_of(job), *shuffled_names(job)):
        yield Unit(step, name)


def fold_units(job: Job[FoldSettings], step: str) -> Iterator[Unit]:
    for name in folds_of(job):
        yield Unit(step, name)


def shuffled_names(job: Job[FoldSettings]) -> list[str]:
    """Names of the networks that are trained on shuffled sites."""
    return [f"{SHUFFLED}-{i}" for i in range(1, job.settings.shuffled_networks + 1)]


def rows_of(job: Job[FoldSettings], name: str) -> tuple[Array, Array]:
    """(training rows, judged rows) of a network. Shuffled networks take the folds in turn."""
    folds = folds_of(job)
    if name in folds:
        return folds[name]
    return list(folds.values())[(int(name.rpartition("-")[2]) - 1) % len(folds)]


def sites_of(job: Job[FoldSettings], name: str) -> Array:
    """Site of each image in use as a network is to learn it, int (n,); -1 where it is unknown."""
    from ....models.evaluation.shuffled import shuffled_by_subject
    from ....models.seeds import numpy_generator

    cohort = cohort_of(job)
    if not name.startswith(SHUFFLED):
        return cohort.sites
    return shuffled_by_subject(cohort.sites, cohort.subjects, numpy_generator(job.settings.seed, name))


def train_network(job: Job[FoldSettings], unit: Unit, training_set: Any) -> Outcome:
    """Train the network of one fold, and fit its last layer. `training_set(job, name)` gives the TrainingSet."""
    import torch

    from ....models.training.classification import Classification, features_of, fit_head
    from ...compute.fit import fit
    from ...compute.gpu_stream import gpu_errors

    outcome = Outcome()
    with outcome.clock("read"):
        chosen: TrainingSet = training_set(job, unit.name)
    with outcome.clock("compute"):
        torch.set_num_threads(job.settings.threads)
        network = chosen.network.to(device_of(job))
        with gpu_errors():
            phase = Classification(network, chosen.images, chosen.labels, chosen.plan, seed=job.settings.seed)
        slot = checkpoint_slot(job, unit.step, unit.name)
        history = fit(phase, slot, threads=job.settings.threads, progress_file=ProgressFile(job.folder.out))
        with gpu_errors():
            fit_head(network, features_of(network, chosen.images, chosen.batch), chosen.labels)
    with outcome.clock("write"):
        record = partial(SiteRecord, history=history, sites=cohort_of(job).names, images=len(chosen.labels))
        outcome.files += save_model(job, unit.name, network, record)
        slot.path.unlink(missing_ok=True)
    outcome.facts.update(steps=chosen.plan.steps, loss=history[-1]["loss"])
    return outcome


def load_network(job: Job[FoldSettings], name: str) -> Classifier:
    """A trained network in evaluation mode. Raises CorruptError if its file differs from the recorded checksum."""
    from ....models.networks.classifier import classifier_of
    from ....models.training import checkpoint

    path = job.folder.model(name)
    tensors, recipe = checkpoint.load_checkpoint(path, read_record(job, name, SiteRecord).sha256)
    network = classifier_of(recipe)
    checkpoint.load_weights(network, tensors, path)
    return network.eval()


def known_rows(rows: Array, sites: Array) -> Array:
    """The rows whose site is known."""
    return np.asarray(rows[sites[rows] >= 0])
