"""site_figures: fresh classifiers that try to tell the sites apart after harmonization, by what they see."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from ....models.evaluation.network_learner import network_learner
from ....models.evaluation.site_classifier import accuracy_of, logistic_learner, predict_sites
from .effort import Effort
from .judgement import SiteFigure
from .scans import Comparable
from .trials import Measured, stacked


def classifiers(cohort: Comparable, measured: Measured, name: str, effort: Effort) -> dict[str, SiteFigure]:
    """Fresh classifiers of sites: they see every scan of other subjects, and are asked about the scored ones."""
    every, sites = np.arange(len(cohort.scans)), cohort.sites
    intensities, texture = (stacked(measured, name, every, what) for what in ("intensities", "texture"))
    learners = {
        "intensities": logistic_learner(intensities, sites),
        "texture": logistic_learner(np.hstack([intensities, texture]), sites),
    }
    if effort.looked_at(name):
        blocks = stacked(measured, name, every, "block")
        learners["network"] = network_learner(blocks, sites, steps=effort.network_steps, seed=effort.seed)
    return {
        what: SiteFigure(
            **asdict(
                accuracy_of(
                    predict_sites(learner, sites, cohort.subjects, cohort.scored, folds=effort.folds, seed=effort.seed),
                    sites,
                )
            )
        )
        for what, learner in learners.items()
    }
