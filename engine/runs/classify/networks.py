"""networks: the step that trains one classifier a unit, from drawn weights or in stages, and sets its threshold.

```text
scratch     all parts at once
transfer    FC, +B4, +B3 ...: one more block each, from the weights of `starts.py`; the last stage is the network
each stage  validation films -> calibration (Platt; temperature for more classes) -> threshold of best balanced accuracy
```
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ....stores.array import ArraySpec, StoredArray, Written, written
from ....stores.frame import Array, Box
from ...compute.gpu_stream import gpu_errors
from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import checkpoint_slot, device_of, read_record, save_model
from ...steps.films.rows import FilmRows
from ...steps.split_column import TEST, TRAIN, VALIDATION
from .cohort import cohort_of
from .documents import ClassifierRecord, StageRecord
from .finished_stages import FinishedStages
from .folds import parts_of
from .plans import network_of, scratch_plan, stage_plan
from .settings import ClassifySettings
from .starts import has_start, start_weights

if TYPE_CHECKING:
    from ....models.evaluation.calibration import Calibration
    from ....models.networks.film_network import FilmNetwork
    from ....models.training.film_training import LabelledFilms
    from ....models.training.transfer import Stage

SCRATCH = "scratch"
STAGES = "stages"
"""Group of samples.zarr: probabilities of a network's judged films after each stage, where there are several."""


def train_network(job: Job[ClassifySettings], unit: Unit) -> Outcome:
    """Train one network, stage by stage."""
    from dataclasses import replace

    from ....models.seeds import derived_seed
    from ....models.training.film_training import FilmTraining
    from ...compute.fit import fit

    outcome, settings = Outcome(), job.settings
    with outcome.clock("read"):
        cohort, part = cohort_of(job), parts_of(job.folder)[unit.name]
        training, validation = (_labelled(job, cohort.labels, part == value) for value in (TRAIN, VALIDATION))
        judged = FilmRows(job.folder, np.flatnonzero(part == TEST))
    seed = derived_seed(settings.seed, unit.name) % 2**31
    network, stages = _start(job, unit.name, len(cohort.classes))
    slot = checkpoint_slot(job, unit.step, unit.name)
    finished = FinishedStages(slot.path.with_name(f"{unit.name}-stages.training.safetensors"), slot.key)
    with outcome.clock("compute"):
        finished.resume(network)
        network = network.to(device_of(job))
        for number, stage in enumerate(stages[len(finished.records) :], len(finished.records)):
            plan = (stage_plan if has_start(job) else scratch_plan)(settings, len(training.films))
            name = f"{unit.name} {stage.name}"
            phase = FilmTraining(network, training, validation, plan, rates=stage.rates, seed=seed, name=name)
            own = replace(slot, key=f"{slot.key}/{stage.name}")
            progress = ProgressFile(job.folder.out, part=number, parts=len(stages))
            history = fit(phase, own, threads=settings.threads, progress_file=progress)
            network = phase.finish()
            with gpu_errors():
                stated, probabilities = judge_stage(network, stage.name, validation, judged)
            finished.records.append(stated.model_dump())
            finished.probabilities.append(probabilities)
            finished.history += [{"stage": stage.name, **row} for row in history] if len(stages) > 1 else history
            finished.save(network)
    records = tuple(StageRecord(**record) for record in finished.records)
    with outcome.clock("write"):
        record = partial(
            ClassifierRecord,
            history=tuple(_numbers(row, stages) for row in finished.history),
            classes=cohort.classes,
            films=len(training.films),
            validation=len(validation.films),
            stages=records,
        )
        outcome.files += save_model(job, unit.name, network.requires_grad_(True), record)
        if len(stages) > 1 and len(judged):
            outcome.files += _store_stages(job, unit.name, np.stack(finished.probabilities))
        slot.path.unlink(missing_ok=True)
        finished.path.unlink(missing_ok=True)
    outcome.facts.update(stages=len(stages), films=len(training.films), loss=records[-1].validation_loss)
    return outcome


def _labelled(job: Job[Any], labels: Array, rows: Array) -> LabelledFilms:
    from ....models.training.film_training import LabelledFilms

    return LabelledFilms(FilmRows(job.folder, np.flatnonzero(rows)), labels[rows])


def _start(job: Job[ClassifySettings], name: str, classes: int) -> tuple[FilmNetwork, list[Stage]]:
    """The untrained network of a unit and its stages."""
    from ....models.training.transfer import Stage, renew_head, scratch_rates, start_from, transfer_stages

    network = network_of(job.settings, classes, name)
    if not has_start(job):
        return network, [Stage(SCRATCH, scratch_rates(network))]
    start_from(network, start_weights(job))
    renew_head(network, seed=job.settings.seed)
    stages = transfer_stages(network)
    return network, stages if job.settings.stages else stages[-1:]


def judge_stage(
    network: FilmNetwork, name: str, validation: LabelledFilms, judged: FilmRows
) -> tuple[StageRecord, Array]:
    """What is set on the validation part, and calibrated probabilities (n, K) float32 of the judged films."""
    from ....models.evaluation.calibration import fit_platt, fit_temperature
    from ....models.evaluation.operating_point import threshold_for
    from ....models.training.film_inference import logits_of
    from ....models.training.film_training import balanced_loss

    logits = logits_of(network, validation.films)
    calibration = (fit_platt if network.classes == 2 else fit_temperature)(logits, validation.labels)
    if calibration.slope <= 0:  # a few validation films would turn the network's ranking of all others round
        calibration = fit_temperature(logits, validation.labels)
    threshold = threshold_for(validation.labels, calibration(logits)[:, 1]) if network.classes == 2 else None
    record = StageRecord(
        name=name,
        slope=calibration.slope,
        offset=calibration.offset,
        threshold=threshold,
        validation_loss=balanced_loss(logits, validation.labels),
    )
    return record, calibration(logits_of(network, judged)).astype(np.float32)


def _numbers(row: dict[str, Any], stages: list[Stage]) -> dict[str, Any]:
    """A row of the history as numbers alone: the stage by its place."""
    names = [stage.name for stage in stages]
    return {**row, "stage": names.index(row["stage"])} if "stage" in row else row


def _store_stages(job: Job[Any], name: str, values: Array) -> list[Written]:
    spec = ArraySpec(values.shape, "float32", values.shape, values.shape, ("stage", "film", "class"))
    array = StoredArray.create(job.folder.samples / STAGES / name, spec)
    return [array.write(Box((0, 0, 0), values.shape), values), written(array.path / "zarr.json")]


def stages_of(job: Job[Any], name: str) -> Array:
    """Probabilities (stage, judged film, class) of a network that was trained in stages."""
    return StoredArray.open(job.folder.samples / STAGES / name).read_all()


def load_classifier(job: Job[Any], name: str) -> tuple[FilmNetwork, ClassifierRecord]:
    """A trained network in evaluation mode, and its record. Raises CorruptError where the file has another sha256."""
    from ....models.networks.film_networks import film_network_of
    from ....models.training import checkpoint

    path, record = job.folder.model(name), read_record(job, name, ClassifierRecord)
    tensors, recipe = checkpoint.load_checkpoint(path, record.sha256)
    network = film_network_of(recipe)
    checkpoint.load_weights(network, tensors, path)
    return network.eval(), record


def calibration_of(stage: StageRecord) -> Calibration:
    from ....models.evaluation.calibration import Calibration

    assert stage.slope is not None and stage.offset is not None  # fits are finite
    return Calibration(float(stage.slope), float(stage.offset))
