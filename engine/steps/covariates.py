"""Covariates: classes, sites and subjects of the images in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...stores.frame import Array
from ..pipeline.job import Job


@dataclass(frozen=True, slots=True)
class Covariates:
    """Covariates of the volumes in use, one entry per row of the embeddings."""

    classes: tuple[str, ...]
    labels: Array
    """int (n,), an index into `classes`; -1 where the class is unknown."""
    sites: Array
    """int (n,); -1 where the site is unknown."""
    subjects: Array
    """str (n,)"""


def covariates(job: Job[Any]) -> Covariates:
    records = list(job.slides.values())
    labels = [r.columns.get(job.settings.label, "").strip() for r in records]
    classes = tuple(sorted({s for s in labels if s}))
    sites = sorted({r.site for r in records if r.site})
    return Covariates(
        classes,
        np.array([classes.index(s) if s else -1 for s in labels], np.int64),
        np.array([sites.index(r.site) if r.site else -1 for r in records], np.int64),
        np.array([r.subject for r in records]),
    )
