"""combat_figures: ComBat on embeddings as a peer of harmonized images: fitted on the training subjects of each fold alone."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from ....models.evaluation.discrepancy import discrepancy
from ....models.evaluation.site_classifier import accuracy_of, logistic_learner, site_folds
from ....models.harmonization.combat import fit_combat, why_not
from ....stores.frame import Array
from .judgement import CombatFigures, SiteFigure
from .scans import Comparable


def combat_figures(
    cohort: Comparable, embeddings: Array, *, folds: int = 5, seed: int = 0
) -> tuple[CombatFigures, list[str]]:
    """(figures of embeddings (n, F) before and after ComBat; covariates that could not take part, with the reason)."""
    covariates, left_out = _covariates(cohort)
    values = np.column_stack([*covariates.values()]) if covariates else None
    before, after = np.full((2, len(embeddings)), -1)
    adjusted = np.full(embeddings.shape, np.nan)
    for train, test in site_folds(cohort.sites, cohort.subjects, cohort.scored, folds=folds, seed=seed):
        part = None if values is None else values[train]
        if reason := why_not(embeddings[train], cohort.sites[train], part):
            return _without(reason), left_out
        if missing := sorted({*cohort.sites[test].tolist()} - {*cohort.sites[train].tolist()}):
            names = ", ".join(cohort.names[site] for site in missing)
            return _without(f"a fold leaves no scan of {names} to fit ComBat on"), left_out
        combat = fit_combat(embeddings[train], cohort.sites[train], part)
        rows = np.concatenate([train, test])
        changed = np.full(embeddings.shape, np.nan)
        changed[rows] = combat.apply(embeddings[rows], cohort.sites[rows], None if values is None else values[rows])
        adjusted[test] = changed[test]
        before[test] = logistic_learner(embeddings, cohort.sites)(train, test)
        after[test] = logistic_learner(changed, cohort.sites)(train, test)
    if (after < 0).all():
        return _without("there are too few subjects for folds by subject"), left_out
    figures = CombatFigures(
        before=SiteFigure(**asdict(accuracy_of(before, cohort.sites))),
        after=SiteFigure(**asdict(accuracy_of(after, cohort.sites))),
        mmd2_before=_mmd2(embeddings, before >= 0, cohort.sites),
        mmd2_after=_mmd2(adjusted, after >= 0, cohort.sites),
        covariates=tuple(covariates),
    )
    return figures, left_out


def _covariates(cohort: Comparable) -> tuple[dict[str, Array], list[str]]:
    """(name -> value of each scan; why others are left out): a covariate is used where every scan has it, and it varies."""
    found, left_out = {}, []
    for name in dict.fromkeys(name for scan in cohort.scans for name in scan.covariates):
        column = np.array([scan.covariates.get(name, np.nan) for scan in cohort.scans])
        missing = int((~np.isfinite(column)).sum())
        if missing:
            left_out.append(f"covariate {name} of ComBat: {missing} of {len(column)} scans have none")
        elif not np.ptp(column):
            left_out.append(f"covariate {name} of ComBat: it is {column[0]:g} for all scans")
        else:
            found[name] = column
    return found, left_out


def _mmd2(embeddings: Array, used: Array, sites: Array) -> float:
    return discrepancy(embeddings[used & (sites != 0)], embeddings[used & (sites == 0)]).mmd2


def _without(reason: str) -> CombatFigures:
    return CombatFigures(before=None, after=None, mmd2_before=None, mmd2_after=None, covariates=(), reason=reason)
