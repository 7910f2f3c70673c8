"""networks: the classifiers of the run, one a fold; a fold's network judges images of subjects that it was not trained on.

Networks named `shuffled-1`, `shuffled-2` ... learn sites that were shuffled among subjects, as a control: each on one fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from .folds import RowsOfFolds, cohort_of, folds_of, trained_cohort, trained_folds, trained_rows
from .rows import store_features
from .settings import FoldSettings

if TYPE_CHECKING:
    from ....models.batches import Patches
    from ....models.networks.classifier import Classifier
    from ....models.training.classification import ClassificationPlan

SHUFFLED = "shuffled"
Prepared = Callable[[Any], "TrainingSet"]
"""(job) -> what its networks are trained on, with an untrained network."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Whole volumes, or patches of slides, and how a network is trained on them."""

    images: Patches
    """Of all images in use."""
    owners: Array
    """int (n,): row of the image that each of them shows; -1 where it is in use no more."""
    plan: ClassificationPlan
    network: Classifier
    """Untrained."""
    batch: int
    """Number of them in a batch when features are computed."""


def training_units(job: Job[FoldSettings], step: str) -> Iterator[Unit]:
    for name in (*trained_folds(job), *shuffled_names(job)):
        yield Unit(step, name)


def shuffled_names(job: Job[FoldSettings]) -> list[str]:
    """Names of the networks that are trained on shuffled sites."""
    return [f"{SHUFFLED}-{i}" for i in range(1, job.settings.shuffled_networks + 1)]


def rows_of(job: Job[FoldSettings], name: str) -> tuple[Array, Array]:
    """(training rows, judged rows) of a network, of the images in use. Shuffled networks take the folds in turn."""
    return _of_network(folds_of(job), name)


def _of_network(folds: RowsOfFolds, name: str) -> tuple[Array, Array]:
    if name in folds:
        return folds[name]
    return list(folds.values())[(int(name.rpartition("-")[2]) - 1) % len(folds)]


def sites_of(job: Job[FoldSettings], name: str) -> Array:
    """Site of each image in use as a network is to learn it, int (n,); -1 where it is unknown."""
    from ....models.evaluation.shuffled import shuffled_by_subject
    from ....models.seeds import numpy_generator

    if not name.startswith(SHUFFLED):
        return cohort_of(job).sites
    cohort, train = trained_cohort(job), _of_network(trained_folds(job), name)[0]
    source = numpy_generator(job.settings.seed, name)
    while True:  # the true sites are one of the shuffles, and leave two to train on
        sites = shuffled_by_subject(cohort.sites, cohort.subjects, source)
        if len(np.unique(sites[train])) > 1:
            return np.asarray(sites[trained_rows(job)])


def train_network(job: Job[FoldSettings], unit: Unit, *, training_set: Prepared) -> Outcome:
    """Train the network of one fold, fit its last layer, and keep what that layer sees of every image."""
    import torch
    from threadpoolctl import threadpool_limits

    from ....models.batches import Selection
    from ....models.training.classification import Classification, features_of, fit_head
    from ...compute.fit import fit
    from ...compute.gpu_stream import gpu_errors

    outcome = Outcome()
    with outcome.clock("read"):
        chosen, rows, sites = training_set(job), rows_of(job, unit.name)[0], sites_of(job, unit.name)
        used = np.flatnonzero(np.isin(chosen.owners, rows))
        labels = sites[chosen.owners[used]]
    with outcome.clock("compute"):
        torch.set_num_threads(job.settings.threads)
        network = chosen.network.to(device_of(job))
        with gpu_errors():
            images = Selection(chosen.images, used)
            phase = Classification(network, images, labels, chosen.plan, seed=job.settings.seed)
        slot = checkpoint_slot(job, unit.step, unit.name)
        history = fit(phase, slot, threads=job.settings.threads, progress_file=ProgressFile(job.folder.out))
        with gpu_errors():
            features = features_of(network, chosen.images, chosen.batch)
        with threadpool_limits(job.settings.threads):  # the last digits depend on the threads
            fit_head(network, features[used], labels)
    with outcome.clock("write"):
        record = partial(SiteRecord, history=history, sites=cohort_of(job).names, images=len(rows), folds_stay=True)
        outcome.files += save_model(job, unit.name, network, record)
        outcome.files += store_features(job, unit.name, _means(features, chosen.owners, len(job.slides)))
        slot.path.unlink(missing_ok=True)
    outcome.facts.update(steps=chosen.plan.steps, loss=history[-1]["loss"])
    return outcome


def _means(features: Array, owners: Array, images: int) -> Array:
    """Mean features of what shows each image, float32 (images, F); 0 for an image of which there is nothing."""
    means = np.zeros((images, features.shape[1]), np.float32)
    for row in np.unique(owners[owners >= 0]):
        means[row] = features[owners == row].mean(0, dtype=np.float64)
    return means


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
