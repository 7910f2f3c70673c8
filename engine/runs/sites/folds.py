"""folds: which images each network is trained on, and which it judges: those of other subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import SettingsError
from ....stores.frame import Array
from ...pipeline.job import Job
from ...steps.split_column import check_sides, check_split, learned_and_judged


@dataclass(frozen=True, slots=True)
class Cohort:
    """Sites and subjects of the images in use, one entry an image."""

    names: tuple[str, ...]
    """The sites, sorted."""
    sites: Array
    """int (n,), an index into `names`; -1 where the site is unknown."""
    subjects: Array
    """str (n,): the subject, or the image's own id where it is unknown."""


def cohort_of(job: Job[Any]) -> Cohort:
    records = list(job.slides.values())
    names = tuple(sorted({r.site.strip() for r in records} - {""}))
    sites = [names.index(r.site.strip()) if r.site.strip() else -1 for r in records]
    return Cohort(names, np.array(sites, np.int64), np.array([r.subject or r.id for r in records]))


def folds_of(job: Job[Any]) -> dict[str, tuple[Array, Array]]:
    """Fold -> (training rows, all of a known site; judged rows). An image is judged in one fold at most."""
    cohort = cohort_of(job)
    known = cohort.sites >= 0
    learned, judged = learned_and_judged([r.columns.get("split", "") for r in job.slides.values()])
    if learned.any() and judged.any():
        return {"split": (np.flatnonzero(learned & known), np.flatnonzero(judged))}
    for count in range(min(job.settings.cv, len(np.unique(cohort.subjects))), 1, -1):
        folds = _drawn(job, cohort, count)
        if all(len(np.unique(cohort.sites[train])) == len(cohort.names) for train, _ in folds):
            return {f"fold-{i}": fold for i, fold in enumerate(folds, 1)}
    return {}


def _drawn(job: Job[Any], cohort: Cohort, count: int) -> list[tuple[Array, Array]]:
    from ....models.evaluation.probes import grouped_folds

    folds = grouped_folds(cohort.sites, cohort.subjects, count, job.settings.seed)
    return [(np.sort(train[cohort.sites[train] >= 0]), np.sort(test)) for train, test in folds]


def why_fewer(job: Job[Any]) -> str:
    """Why there are fewer folds than the setting `cv`; empty if there are as many, or the list's split decides."""
    folds = folds_of(job)
    if "split" in folds or len(folds) == job.settings.cv:
        return ""
    cohort = cohort_of(job)
    least = min(_subjects_of(cohort).items(), key=lambda item: item[1])
    return (
        f"--cv asks for {job.settings.cv} folds, and {len(folds)} were made of {len(np.unique(cohort.subjects))} subjects: "
        f"each fold must train on every site, and {least[0]} has {least[1]} subjects."
    )


def _subjects_of(cohort: Cohort) -> dict[str, int]:
    """Site -> number of its subjects."""
    return {name: len(np.unique(cohort.subjects[cohort.sites == i])) for i, name in enumerate(cohort.names)}


def check_sites(job: Job[Any]) -> None:
    """Raises SettingsError, before any work, for images of which no site can be learned or judged."""
    cohort = cohort_of(job)
    noun = job.modality.name
    if len(cohort.names) < 2:
        found = f"only {cohort.names[0]!r}" if cohort.names else "none"
        raise SettingsError(
            f"the list of {noun} names {found} in its column `site`, and telling sites apart needs two. Give a list (CSV, TSV "
            "or XLSX) with the columns path, subject and site.",
            "E_SITES",
        )
    check_split(r.columns.get("split", "") for r in job.slides.values())
    folds = folds_of(job)
    if not folds:
        counts = ", ".join(f"{name} {count}" for name, count in _subjects_of(cohort).items())
        raise SettingsError(
            f"no folds can be made: each must train on every site and judge other subjects, which needs two subjects of each "
            f"site. Subjects of the sites: {counts}. Add {noun}, or leave out sites of one subject.",
            "E_SITES",
        )
    if "split" not in folds:
        return
    train, test = folds["split"]
    check_sides(cohort.subjects, train, test)
    missing = sorted(set(range(len(cohort.names))) - set(cohort.sites[train].tolist()))
    if missing:
        raise SettingsError(
            f"the column `split` leaves no {noun} of {', '.join(cohort.names[i] for i in missing)} to train on, so that site "
            f"could not be named. Put {noun} of each site on the side `train`.",
            "E_SITES",
        )


def fold_of(job: Job[Any], image: str) -> str:
    """The fold that judges an image; empty where none does, because the list's split trains on it."""
    row = list(job.slides).index(image)
    return next((name for name, (_, judged) in folds_of(job).items() if row in judged), "")
