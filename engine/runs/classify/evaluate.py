"""evaluate: how well the networks classify films whose subjects they did not see, beside pixels, files and sites alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....stores.frame import Array
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import read_record, write_document
from ...steps.split_column import TEST, TRAIN, VALIDATION
from .cohort import FilmCohort, cohort_of
from .documents import EVALUATION, ClassifierRecord, Comparison, Evaluation, Folds, Interval, Method
from .figures import area, repeated_figures
from .folds import folds_of, parts_of
from .networks import stages_of
from .pixels import pixel_probabilities
from .probabilities import Judgement, judgement_of, named_classes, repeat_of
from .settings import JudgedFilmSettings
from .site_figures import confound_of, matrix_of, sites_of

PROPERTIES = ("mean_intensity", "pixel_entropy", "packed_bytes", "file_bytes")
PIXELS = "logistic regression on 32 x 32 pixels"
NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Judged:
    """The labelled films that networks judge."""

    rows: Array
    """Rows of films.zarr."""
    labels: Array
    subjects: Array
    sites: Array
    probability: Array
    """(repeat, n, class)."""
    named: Array
    """(repeat, n)."""

    @property
    def both(self) -> bool:
        """Whether two labels or more are among them."""
        return len(np.unique(self.labels)) > 1


def judged_of(cohort: FilmCohort, judgement: Judgement) -> Judged:
    rows = np.flatnonzero(judgement.judged & (cohort.labels >= 0))
    return Judged(
        rows=rows,
        labels=cohort.labels[rows],
        subjects=cohort.subjects[rows],
        sites=cohort.sites[rows],
        probability=judgement.probability[:, rows],
        named=np.stack([judgement.named(repeat)[rows] for repeat in range(len(judgement.probability))]),
    )


def write_evaluation(job: Job[JudgedFilmSettings], unit: Unit) -> Outcome:
    """Write models/evaluation.json."""
    from threadpoolctl import threadpool_limits

    outcome = Outcome()
    with outcome.clock("compute"), threadpool_limits(job.settings.threads):  # the last digits depend on the threads
        document = evaluation(job)
    with outcome.clock("write"):
        outcome.files.append(write_document(job, EVALUATION, document))
    outcome.facts["films"] = sum(document.films.values())
    return outcome


def evaluation(job: Job[Any]) -> Evaluation:
    folds, seed = folds_of(job.folder), job.settings.seed
    cohort = cohort_of(job).numbered_as(folds.classes)  # new films may lack a label, or have others
    judged = judged_of(cohort, judgement_of(job.folder))
    validations = [
        min(sizes.validation.get(name, 0) for name in folds.classes)
        for sizes in folds.networks.values()
        if sizes.train and not sizes.site
    ]
    network: dict[str, Interval] = {}
    if judged.both:
        network = repeated_figures(judged.labels, judged.probability, judged.named, judged.subjects, seed=seed)
    binary = judged.both and len(folds.classes) == 2
    stages = _stages(job, cohort, judged) if judged.both else {}
    pixels = pixel_probabilities(job, cohort.labels, len(folds.classes))[:, judged.rows]
    return Evaluation(
        classes=folds.classes,
        films={folds.classes[k]: n for k, n in sorted(Counter(judged.labels.tolist()).items())},
        subjects=len(set(judged.subjects)),
        network=network,
        stages={
            name: repeated_figures(judged.labels, *values, judged.subjects, seed=seed)
            for name, values in stages.items()
        },
        majority=_majority(job, cohort, judged),
        confusion=_confusion(judged, len(folds.classes)),
        methods=_methods(job, cohort, judged, pixels) if judged.both else {},
        comparisons=tuple(_comparisons(judged, pixels, stages)) if binary else (),
        sites=sites_of(judged, folds.classes),
        site_matrix=matrix_of(job, cohort) if binary else (),
        confound=confound_of(job, cohort, judged) if binary else None,
        smallest_validation=min(validations, default=0),
        notes=(*folds.notes, *_left_out(judged, pixels, folds)),
    )


def _left_out(judged: Judged, pixels: Array, folds: Folds) -> Iterator[str]:
    if judged.both and np.isnan(pixels).all() and any(sizes.train for sizes in folds.networks.values()):
        yield "there are too many films for the comparisons with small pixels, which are left out"


def _majority(job: Job[Any], cohort: FilmCohort, judged: Judged) -> float:
    """Accuracy of naming the most frequent label of a network's training films for all that it judges."""
    parts = parts_of(job.folder)
    hits = films = 0
    for name, sizes in folds_of(job.folder).networks.items():
        learned = cohort.labels[np.isin(parts[name], (TRAIN, VALIDATION))]
        tested = cohort.labels[(parts[name] == TEST) & (cohort.labels >= 0)]
        if not sizes.site and len(learned) and len(tested):
            hits, films = hits + int((tested == np.bincount(learned).argmax()).sum()), films + len(tested)
    if films:
        return hits / films
    return float(np.bincount(judged.labels).max() / len(judged.labels)) if len(judged.labels) else float("nan")


def _confusion(judged: Judged, classes: int) -> tuple[tuple[int, ...], ...]:
    """Of the first repeat: each film counts once."""
    from ....models.evaluation.metrics import confusion

    return tuple(map(tuple, confusion(judged.labels, judged.named[0], classes).tolist()))


Stages = dict[str, tuple[Array, Array]]
"""Stage -> probabilities (repeat, n, class) and named classes (repeat, n) of the judged films after it."""


def _stages(job: Job[Any], cohort: FilmCohort, judged: Judged) -> Stages:
    """What the networks said after each stage of their trainings; empty where these had one stage."""
    parts, folds = parts_of(job.folder), folds_of(job.folder)
    tables: Stages = {}
    shape = (folds.repeats, len(cohort.labels), len(folds.classes))
    for name, sizes in folds.networks.items():
        rows = np.flatnonzero(parts[name] == TEST)
        record = None if sizes.site or not len(rows) or not sizes.train else read_record(job, name, ClassifierRecord)
        if record is None or len(record.stages) < 2:
            continue
        for stage, values in zip(record.stages, stages_of(job, name), strict=True):
            probability, named = tables.setdefault(
                stage.name, (np.full(shape, np.nan, np.float32), np.full(shape[:2], -1))
            )
            probability[repeat_of(name), rows] = values
            named[repeat_of(name), rows] = named_classes(values, stage.threshold)
    return {
        stage: (probability[:, judged.rows], named[:, judged.rows]) for stage, (probability, named) in tables.items()
    }


def _methods(job: Job[Any], cohort: FilmCohort, judged: Judged, pixels: Array) -> dict[str, Method]:
    """The baseline on pixels, and of two classes what each property of film or file tells alone."""
    seed, methods = job.settings.seed, dict[str, Method]()
    if len(judged.rows) and np.isfinite(pixels).all():
        named = np.stack([values.argmax(1) for values in pixels])
        figures = repeated_figures(judged.labels, pixels, named, judged.subjects, seed=seed)
        methods[PIXELS] = Method(auroc=figures["auroc"], accuracy=figures["accuracy"].value)
    if pixels.shape[2] == 2:
        for name in PROPERTIES:
            values = cohort.index.properties[name][judged.rows].astype(np.float64)
            if len(np.unique(values)) > 1:
                methods[name] = Method(auroc=area(judged.labels, values, judged.subjects, seed=seed))
    return methods


def _comparisons(judged: Judged, pixels: Array, stages: Stages) -> Iterator[Comparison]:
    """DeLong's tests of the network's area against that of pixels, and of the last stage's against the first one's.

    Scores are the means over repeats.
    """
    from ....models.evaluation.delong import compare_areas

    if min(np.bincount(judged.labels, minlength=2)) < 2:
        return
    scores = {NETWORK: judged.probability, PIXELS: pixels} | {name: p for name, (p, _) in stages.items()}
    pairs = [(NETWORK, PIXELS)] + ([(list(stages)[-1], next(iter(stages)))] if stages else [])
    for first, second in pairs:
        if np.isfinite(scores[first]).all() and np.isfinite(scores[second]).all():
            areas = compare_areas(judged.labels, *(scores[name][..., 1].mean(0) for name in (first, second)))
            yield Comparison(
                first=first, second=second, difference=areas.difference, low=areas.low, high=areas.high, p=areas.p
            )
