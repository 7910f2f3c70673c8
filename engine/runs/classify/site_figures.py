"""site_figures: figures by site, the matrix of sites, and how much the site alone says about the label."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ....stores.frame import Array
from ...pipeline.job import Job
from ...steps.films.rows import FilmRows
from ...steps.split_column import TEST, TRAIN, VALIDATION
from .cohort import FilmCohort
from .documents import Confound, Folds, Interval, SiteCell, SiteFigures
from .figures import interval
from .folds import folds_of, parts_of
from .networks import calibration_of, load_classifier
from .pixels import MOST_FILMS, small_films

if TYPE_CHECKING:
    from ....models.evaluation.subject_splits import Split
    from .evaluate import Judged

LEAST_SUBJECTS = 2
"""Subjects of a site that a classifier of sites needs."""


def sites_of(judged: Judged, classes: tuple[str, ...]) -> dict[str, SiteFigures]:
    """Figures on the films of each site, by the networks that did not see their subjects."""
    from ....models.evaluation.ranking import auroc
    from ....models.evaluation.wilson import wilson

    figures = {}
    for site in sorted(set(judged.sites) - {""}):
        rows = judged.sites == site
        labels, right = judged.labels[rows], judged.named[0, rows] == judged.labels[rows]
        low, high = wilson(int(right.sum()), len(right))
        areas = [auroc(labels, p[rows, 1]) for p in judged.probability] if len(classes) == 2 else [float("nan")]
        figures[str(site)] = SiteFigures(
            films={classes[k]: n for k, n in sorted(Counter(labels.tolist()).items())},
            accuracy=Interval(value=float(right.mean()), low=low, high=high),
            auroc=float(np.mean(areas)),
        )
    return figures


def splits_of(folds: Folds, parts: dict[str, Array], labels: Array) -> list[Split]:
    """The divisions of labelled films that networks of all sites were trained and judged by."""
    from ....models.evaluation.subject_splits import Split

    labelled = labels >= 0
    splits = []
    for name, sizes in folds.networks.items():
        rows = [np.flatnonzero(labelled & (parts[name] == value)) for value in (TRAIN, VALIDATION, TEST)]
        if not sizes.site and len(rows[0]) and len(rows[2]):
            splits.append(Split(np.sort(np.concatenate(rows[:2])), rows[1], rows[2]))
    return splits


def confound_of(job: Job[Any], cohort: FilmCohort, judged: Judged) -> Confound | None:
    """What the site alone says; None for less than two sites, or films that were not divided here."""
    from ....models.evaluation.site_confound import site_confound

    folds = folds_of(job.folder)
    splits = splits_of(folds, parts_of(job.folder), cohort.labels)
    if len(set(judged.sites)) < 2 or not splits:
        return None
    scores = np.full(len(cohort.labels), np.nan)
    scores[judged.rows] = judged.probability[..., 1].mean(0)
    figures = site_confound(cohort.sites, cohort.labels, scores, splits)
    named, largest = _site_named(job, cohort)
    return Confound(
        site_alone=figures.site_alone,
        within_sites=figures.within_sites,
        pairs_within=figures.pairs_within,
        site_named=named,
        largest_site=largest,
    )


def _site_named(job: Job[Any], cohort: FilmCohort) -> tuple[Interval, float | None]:
    """How often a linear discriminant of small films names the site, and the share of the largest site."""
    from ....models.evaluation.site_classifier import accuracy_of, discriminant_learner, predict_sites

    rows = np.flatnonzero((cohort.labels >= 0) & (cohort.sites != ""))
    names, sites = np.unique(cohort.sites[rows], return_inverse=True)
    subjects = cohort.subjects[rows]
    few = min((len(np.unique(subjects[sites == k])) for k in range(len(names))), default=0) < LEAST_SUBJECTS
    if len(names) < 2 or few or len(rows) > MOST_FILMS:
        return Interval(value=None, low=None, high=None), None
    learner = discriminant_learner(small_films(job.folder, rows), sites)
    named = predict_sites(learner, sites, subjects, np.ones(len(rows), bool), seed=job.settings.seed)
    figures = accuracy_of(named, sites)
    return Interval(value=figures.accuracy, low=figures.low, high=figures.high), figures.chance


def matrix_of(job: Job[Any], cohort: FilmCohort) -> tuple[SiteCell, ...]:
    """What the networks of each site reach at every site; empty without such networks."""
    from ....models.evaluation.site_matrix import SiteTraining, site_matrix
    from ....models.evaluation.subject_splits import Split
    from ....models.training.film_inference import logits_of

    folds, parts = folds_of(job.folder), parts_of(job.folder)
    names = [name for name, sizes in folds.networks.items() if sizes.site]
    sites = {folds.networks[name].site for name in names}
    trainings, scores = [], []
    for name in names:
        part = parts[name]
        tests = {site: np.flatnonzero((part == TEST) & (cohort.sites == site)) for site in sorted(sites)}
        train, validation = np.flatnonzero(part == TRAIN), np.flatnonzero(part == VALIDATION)
        own = folds.networks[name].site
        trainings.append(SiteTraining(own, Split(train, validation, tests[own]), tests))
        network, record = load_classifier(job, name)
        calibrate = calibration_of(record.last)
        scores.append(
            {site: calibrate(logits_of(network, FilmRows(job.folder, rows)))[:, 1] for site, rows in tests.items()}
        )
    cells = (
        site_matrix(trainings, scores, cohort.labels, cohort.subjects, draws=200, seed=job.settings.seed)
        if names
        else []
    )
    return tuple(
        SiteCell(
            train_site=cell.train_site,
            test_site=cell.test_site,
            auroc=interval(cell.auroc),
            films=cell.films,
            networks=cell.classifiers,
        )
        for cell in cells
    )
