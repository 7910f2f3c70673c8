"""folds: the volumes that each network is trained on, and the volumes that it is evaluated on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....errors import SettingsError
from ....stores.frame import Array
from ...pipeline.job import Job
from ...steps.covariates import covariates
from ...steps.label_column import check_label
from ...steps.split_column import check_sides, check_split, learned_and_judged
from ...steps.volumes.harmonized import check_harmonized
from ...steps.volumes.networks import WHOLE
from .objective import objective_of
from .settings import EmbedSettings


def folds_of(job: Job[EmbedSettings]) -> dict[str, tuple[Array, Array]]:
    """Fold -> (training rows, evaluated rows).

    A column `split` of the list decides if it names both sides; else folds are drawn by subject, stratified by class.
    """
    from ....models.evaluation.probes import grouped_folds

    rows = np.arange(len(job.slides))
    folds = {WHOLE: (rows, rows)}
    if not job.settings.cv:
        return folds
    learned, judged = learned_and_judged([r.columns.get("split", "") for r in job.slides.values()])
    if learned.any() and judged.any():
        return folds | {"split": (np.flatnonzero(learned), np.flatnonzero(judged))}
    what = covariates(job)
    subjects = len(np.unique(what.subjects))
    for count in range(min(job.settings.cv, subjects // 2), 1, -1):
        splits = grouped_folds(what.labels, what.subjects, count, job.settings.seed)
        if not any(_lacking(job, train) for train, _ in splits):
            return folds | {f"fold-{i}": (np.sort(train), np.sort(test)) for i, (train, test) in enumerate(splits, 1)}
    return folds


def _lacking(job: Job[EmbedSettings], rows: Array) -> str:
    """Of what these rows have too few for training: classes if the objective needs two, sites if an adversary does; else ""."""
    what, objective = covariates(job), objective_of(job)
    classes, sites = (len(set(values[rows].tolist()) - {-1}) for values in (what.labels, what.sites))
    if objective.kind != "reconstruction" and classes < 2:
        return "classes"
    return "sites" if objective.site and sites < 2 else ""


def why_not(job: Job[EmbedSettings]) -> str:
    """Why there are fewer folds than the setting `cv`, or none; empty if there are as many."""
    folds = set(folds_of(job)) - {WHOLE}
    if "split" in folds or len(folds) == job.settings.cv:
        return ""
    return (
        f"--cv asks for {job.settings.cv} folds, and {len(folds) or 'none'} could be made: there are too few "
        "subjects, or too few subjects of a class."
    )


def check_what_is_known(job: Job[EmbedSettings]) -> None:
    """Raise SettingsError, before any work, if settings do not fit the covariates: label column, classes, sites, split."""
    check_harmonized(job)
    records = list(job.slides.values())
    check_label(job)
    _check_enough(job, np.arange(len(records)), "these volumes have")
    check_split(r.columns.get("split", "") for r in records)
    if "split" in (folds := folds_of(job)):
        train, judged = folds["split"]
        check_sides(covariates(job).subjects, train, judged)
        _check_enough(job, train, "those on the side `train` of the column `split` have")


def _check_enough(job: Job[EmbedSettings], rows: Array, which: str) -> None:
    """Raises SettingsError where training on these rows, as `which` names them, lacks classes or sites."""
    lacking = _lacking(job, rows)
    if lacking == "classes":
        raise SettingsError(
            f"the objective {objective_of(job).kind!r} needs known classes (a column {job.settings.label!r}), and {which} "
            "fewer than two. Add them to the list, or use --objective reconstruction."
        )
    if lacking:
        raise SettingsError(
            f"--adversary needs known sites (a column `site`), and {which} fewer than two. Add them to the list, or leave "
            "--adversary out."
        )


def trainings(job: Job[EmbedSettings]) -> Iterator[tuple[str, str]]:
    """(network, fold) of every training; per network, the training on all volumes comes first."""
    for network in job.settings.networks:
        for fold in folds_of(job):
            yield network, fold
