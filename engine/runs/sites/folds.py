"""folds: which images each network is trained on, and which it judges: those of other subjects.

Folds are those of the images that were in use when the networks were trained. An image that a later step rejects moves no fold:
folds drawn again without its subject are others, and images would be judged by networks that were trained on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ....errors import SettingsError
from ....stores.frame import Array
from ...pipeline.job import Job
from ...steps.split_column import check_sides, check_split, learned_and_judged

STEP = "networks"
"""Name of the step that trains."""
RowsOfFolds = dict[str, tuple[Array, Array]]
"""Fold -> (training rows, all of a known site; judged rows)."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Sites and subjects of images, one entry an image."""

    names: tuple[str, ...]
    """The sites, sorted, as networks number them."""
    sites: Array
    """int (n,), an index into `names`; -1 where the site is unknown."""
    subjects: Array
    """str (n,): the subject, or the image's own id where it is unknown."""


def trained_cohort(job: Job[Any]) -> Cohort:
    """Of the images that were in use when the networks were trained."""
    records = list(job.slides_before(STEP).values())
    names = tuple(sorted({r.site.strip() for r in records} - {""}))
    sites = [names.index(r.site.strip()) if r.site.strip() else -1 for r in records]
    return Cohort(names, np.array(sites, np.int64), np.array([r.subject or r.id for r in records]))


def trained_rows(job: Job[Any]) -> Array:
    """Row of each image in use among those of `trained_cohort`, int (n,)."""
    rows = {image: row for row, image in enumerate(job.slides_before(STEP))}
    return np.array([rows[image] for image in job.slides], np.int64)


def cohort_of(job: Job[Any]) -> Cohort:
    """Of the images in use."""
    cohort, rows = trained_cohort(job), trained_rows(job)
    return Cohort(cohort.names, cohort.sites[rows], cohort.subjects[rows])


def folds_of(job: Job[Any]) -> RowsOfFolds:
    """The folds, in rows of the images in use. An image is judged in one fold at most."""
    rows = trained_rows(job)
    return {n: (_places(rows, train), _places(rows, judged)) for n, (train, judged) in trained_folds(job).items()}


def _places(rows: Array, chosen: Array) -> Array:
    """Where the chosen numbers stand in `rows`; those that stand nowhere are left out."""
    return np.flatnonzero(np.isin(rows, chosen))


def trained_folds(job: Job[Any]) -> RowsOfFolds:
    """The folds, in rows of `trained_cohort`."""
    cohort = trained_cohort(job)
    known = cohort.sites >= 0
    learned, judged = learned_and_judged([r.columns.get("split", "") for r in job.slides_before(STEP).values()])
    if learned.any() and judged.any():
        return {"split": (np.flatnonzero(learned & known), np.flatnonzero(judged))}
    settings = job.settings
    return dict(_drawn(tuple(cohort.sites.tolist()), tuple(cohort.subjects.tolist()), settings.cv, settings.seed))


@lru_cache(maxsize=4)
def _drawn(sites: tuple[int, ...], subjects: tuple[str, ...], cv: int, seed: int) -> RowsOfFolds:
    """Folds by subject, as many as can be up to `cv`; kept, as drawing them of many subjects takes seconds."""
    from ....models.evaluation.probes import grouped_folds

    of_image, count_of_sites = np.array(sites), len(set(sites) - {-1})
    for count in range(min(cv, len(set(subjects))), 1, -1):
        drawn = grouped_folds(of_image, np.array(subjects), count, seed)
        folds = [(np.sort(train[of_image[train] >= 0]), np.sort(test)) for train, test in drawn]
        if all(len(np.unique(of_image[train])) == count_of_sites for train, _ in folds):
            return {f"fold-{i}": fold for i, fold in enumerate(folds, 1)}
    return {}


def why_fewer(job: Job[Any]) -> str:
    """Why there are fewer folds than the setting `cv`; empty if there are as many, or the list's split decides."""
    folds = trained_folds(job)
    if "split" in folds or len(folds) == job.settings.cv:
        return ""
    cohort = trained_cohort(job)
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


def fold_by_image(job: Job[Any]) -> dict[str, str]:
    """Image in use -> the fold that judges it; without those that none judges, because the list's split trains on them."""
    images = list(job.slides)
    folds = {images[row]: name for name, (_, judged) in folds_of(job).items() for row in judged.tolist()}
    return {image: folds[image] for image in images if image in folds}


def fold_of(job: Job[Any], image: str) -> str:
    """The fold that judges an image; empty where none does. For many images, `fold_by_image`."""
    return fold_by_image(job).get(image, "")
