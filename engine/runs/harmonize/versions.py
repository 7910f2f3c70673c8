"""versions: the baselines of a harmonization as methods that a judgement tries on every scan."""

from __future__ import annotations

from ....models.harmonization.baselines import BASELINES
from ....models.harmonization.quantiles import Transform
from .scans import Comparable, Version


def baseline_versions(cohort: Comparable) -> dict[str, Version]:
    """Every baseline, fitted on the fitting scans of the cohort: name -> version."""
    rows = cohort.fitting()
    source, target = (rows[side] for side in (cohort.sites[rows] != 0, cohort.sites[rows] == 0))
    fitted = {name: fit(cohort.reading(source), cohort.reading(target)) for name, fit in BASELINES.items()}
    return {name: _version(transform) for name, transform in fitted.items()}


def _version(transform: Transform) -> Version:
    return lambda row, head: transform(head.values, head.mask)
