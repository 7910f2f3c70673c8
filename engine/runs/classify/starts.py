"""starts: the network that all others start from: of a user's file of weights, trained on films of another task, or both."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import SettingsError
from ....stores.frame import Array
from ....stores.remote import to_path
from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import checkpoint_slot, device_of, read_record, save_model
from ...steps.films.index import check_rule, stated_index
from ...steps.films.rows import FilmRows
from .cohort import FilmCohort, cohort_from, cohort_of, has_pretraining, pretraining_rows
from .documents import PretrainedRecord
from .folds import divided
from .plans import network_of, scratch_plan
from .settings import ClassifySettings

if TYPE_CHECKING:
    from torch import Tensor

    from ....models.networks.film_network import FilmNetwork
    from ....models.training.film_training import LabelledFilms

PRETRAINED = "pretrained"
"""Name of the step and of the model."""
LEAST_SUBJECTS = 2


def has_start(job: Job[Any]) -> bool:
    """Whether networks start from trained weights, rather than drawn ones."""
    return bool(job.settings.weights) or has_pretraining(job)


def start_units(job: Job[ClassifySettings], step: str) -> Iterator[Unit]:
    if has_start(job):
        yield Unit(step, step)


def check_start(job: Job[ClassifySettings]) -> None:
    """Raises SettingsError, before any work, for weights that are not there or of another network, a lost list, a rule of
    columns that the list lacks, or films that cannot be divided by what the list says of them."""
    check_rule(job)
    settings = job.settings
    if settings.weights:
        load_weights_file(network_of(settings, 2), settings)
    if settings.pretrain and not has_pretraining(job):
        raise SettingsError(
            f"pretrain: no film of {settings.pretrain} is in this run beside the films themselves: all of its films are in "
            "both lists, or the run was begun without it. Name a list of other films.",
            "E_PRETRAIN",
        )
    if stated := stated_index(job):
        divided(cohort_from(stated, pretraining_rows(job, len(stated)), settings.normal), settings)


def load_weights_file(network: FilmNetwork, settings: ClassifySettings) -> str:
    """Load a user's file into the network's blocks; returns what was left out, as text.

    Raises SettingsError (E_WEIGHTS) where the file is missing, cannot be read, or is of another network.
    """
    from ....models.networks.vgg16 import VGG16
    from ....models.training.published_weights import load_published, read_tensors
    from ....models.training.transfer import start_from

    path = to_path(settings.weights)
    if not path.exists():
        raise SettingsError(f"weights: there is no file {path}.", "E_WEIGHTS")
    tensors = read_tensors(path)
    if isinstance(network, VGG16) and not any(name.startswith("head.") for name in tensors):
        ignored = load_published(network, path).ignored
        return f"{len(ignored)} weights of the published classifier are left out" if ignored else ""
    try:
        start_from(network, tensors)
    except SettingsError as error:
        raise SettingsError(f"weights: {path}: {error.message}", "E_WEIGHTS") from error
    return "the head of the other task is left out"


def train_start(job: Job[ClassifySettings], unit: Unit) -> Outcome:
    """Write the network to start from."""
    from ....models.training.film_training import FilmTraining
    from ....models.training.transfer import scratch_rates, transfer_stages
    from ...compute.fit import fit

    outcome, settings = Outcome(), job.settings
    if not has_pretraining(job):
        network = network_of(settings, 2, PRETRAINED)
        with outcome.clock("read"):
            left_out = load_weights_file(network, settings)
        outcome.notices += [f"weights: {left_out}"] if left_out else []
        record = partial(PretrainedRecord, history=(), classes=(), films=0, validation_auroc=None)
        with outcome.clock("write"):
            outcome.files += save_model(job, PRETRAINED, network, record)
        return outcome
    with outcome.clock("read"):
        names, training, validation = _films_of_task(job, cohort_of(job))
        network = network_of(settings, len(names), PRETRAINED)
        rates = scratch_rates(network)
        if settings.weights:
            load_weights_file(network, settings)
            rates = dict(transfer_stages(network)[-1].rates)
    with outcome.clock("compute"):
        network = network.to(device_of(job))
        plan = scratch_plan(settings, len(training.films))
        phase = FilmTraining(network, training, validation, plan, rates=rates, seed=settings.seed, name="pretraining")
        slot = checkpoint_slot(job, unit.step, PRETRAINED)
        history = fit(phase, slot, threads=settings.threads, progress_file=ProgressFile(job.folder.out))
        network = phase.finish()
        area = _validation_area(network, validation)
    with outcome.clock("write"):
        record = partial(
            PretrainedRecord, history=tuple(history), classes=names, films=len(training.films), validation_auroc=area
        )
        outcome.files += save_model(job, PRETRAINED, network, record)
        slot.path.unlink(missing_ok=True)
    outcome.facts.update(steps=plan.steps, films=len(training.films), validation_auroc=area)
    return outcome


def _films_of_task(
    job: Job[ClassifySettings], cohort: FilmCohort
) -> tuple[tuple[str, ...], LabelledFilms, LabelledFilms]:
    """Labels, training and validation films of the other task; subjects of this task are left out."""
    from ....models.evaluation.subject_splits import subject_split
    from ....models.training.film_training import LabelledFilms

    rows = np.flatnonzero(cohort.learned_first)
    names, labels = np.unique(cohort.pretraining_labels[rows], return_inverse=True)
    subjects = cohort.subjects[rows]
    counts = {str(name): len(np.unique(subjects[labels == k])) for k, name in enumerate(names)}
    if len(names) < 2 or min(counts.values()) < LEAST_SUBJECTS:
        stated = ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
        raise SettingsError(
            f"the films that are to be learned first have these labels (subjects): {stated}. They need two labels with "
            f"{LEAST_SUBJECTS} subjects each, who are not in the list of this task.",
            "E_PRETRAIN",
        )
    share = job.settings.validation
    split = subject_split(labels, subjects, shares=(1 - share, share, 0.0), seed=job.settings.seed)

    def of(part: Array) -> LabelledFilms:
        return LabelledFilms(FilmRows(job.folder, rows[part]), labels[part])

    return tuple(map(str, names)), of(split.train), of(split.validation)


def _validation_area(network: FilmNetwork, validation: LabelledFilms) -> float | None:
    from ....models.evaluation.ranking import auroc
    from ....models.training.film_inference import logits_of

    if network.classes != 2:
        return None
    logits = logits_of(network, validation.films)
    return auroc(validation.labels, logits[:, 1] - logits[:, 0])


def start_weights(job: Job[ClassifySettings]) -> dict[str, Tensor]:
    """The weights that all networks start from. Raises CorruptError where the file's sha256 is not the recorded one."""
    from ....models.training import checkpoint

    sha256 = read_record(job, PRETRAINED, PretrainedRecord).sha256
    return checkpoint.load_checkpoint(job.folder.model(PRETRAINED), sha256)[0]
