"""judge: the figures of a run's versions, beside what a user would otherwise do (see `figures`)."""

from __future__ import annotations

from functools import partial

import numpy as np

from ....stores.frame import Array
from ....stores.image import StoredImage
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from ...steps.convert.tissue import tissue
from .documents import JUDGEMENT, JudgementDocument
from .effort import Effort
from .figures import judgement
from .measure import MOST_CELLS, mask_on, measures_of, units_of
from .scans import Head, Scan, Version, comparable
from .settings import HarmonizeSettings
from .sites import sites_of
from .version import version_image
from .versions import baseline_versions

OURS = "harmonized"
IDENTITY = "identity"
NETWORK_STEPS = 30
"""Training steps of each fold of the classifier of sites that is a network."""


def judge_versions(job: Job[HarmonizeSettings], unit: Unit) -> Outcome:
    """Write models/judgement.json."""
    import torch
    from threadpoolctl import threadpool_limits

    outcome = Outcome()
    sites = sites_of(job)
    torch.set_num_threads(job.settings.threads)
    with outcome.clock("compute"), threadpool_limits(job.settings.threads):
        scans = [_scan(job, image, image not in sites.held_out) for part in sites.of_site.values() for image in part]
        cohort = comparable(scans, sites.sources, sites.target)
        versions: dict[str, Version] = {OURS: lambda row, head: _version(job, cohort.scans[row].id)}
        fitted = baseline_versions(cohort)
        versions |= fitted if job.settings.baselines else {IDENTITY: fitted[IDENTITY]}
        effort = Effort(
            network_steps=max(2, round(NETWORK_STEPS * job.settings.effort)),
            networks=(OURS, IDENTITY),
            seed=job.settings.seed,
        )
        figures = judgement(cohort, versions, OURS, effort=effort)
    with outcome.clock("write"):
        document = JudgementDocument(judgement=figures, held_out=sites.why)
        outcome.files.append(write_document(job, JUDGEMENT, document))
    return outcome


def head_of(job: Job[HarmonizeSettings], image: str) -> Head:
    """An image in the generator's units, of several channels their mean, with its mask; a coarser level of large ones."""
    stored = job.stored(image)
    level = _level(stored)
    return Head(_values(job, image, stored, level), mask_on(tissue(job, image), stored.frames, level))


def _scan(job: Job[HarmonizeSettings], image: str, fitted: bool) -> Scan:
    record, stored = job.slides[image], job.stored(image)
    covariates = {"age": record.columns.get("age", ""), "sex": _sex(record.columns.get("sex", ""))}
    numbers = {name: float(text) for name, text in covariates.items() if _is_number(text)}
    return Scan(
        image,
        record.subject or image,
        record.site,
        fitted,
        stored.frames[_level(stored)],
        partial(head_of, job, image),
        record.placement,
        numbers,
    )


def _version(job: Job[HarmonizeSettings], image: str) -> Array:
    stored = version_image(job, image)
    return _values(job, image, stored, _level(stored))


def _values(job: Job[HarmonizeSettings], image: str, stored: StoredImage, level: int) -> Array:
    units = units_of(job, measures_of(job, image))
    values: Array = units.of(stored.read(stored.frames[level].box, level)).mean(0)
    return values


def _level(stored: StoredImage) -> int:
    return next((i for i, f in enumerate(stored.frames) if f.box.size <= MOST_CELLS), len(stored.frames) - 1)


def _sex(text: str) -> str:
    return {"M": "0", "F": "1"}.get(text.strip().upper()[:1], text)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
