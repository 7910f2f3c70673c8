"""judge: the figures of a run's versions, beside what a user would otherwise do (see `figures`)."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np

from ....errors import SlideError
from ....stores.frame import Array
from ....stores.image import StoredImage
from ....stores.lists.cells import read_number
from ....stores.lists.spellings import sex_of
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from ...steps.convert.tissue import tissue
from ...steps.volumes.mask import given_mask_on
from .documents import JUDGEMENT, JudgementDocument
from .effort import Effort
from .figures import judgement
from .matching import ages_of
from .measure import MOST_CELLS, mask_on, measures_of, units_of
from .notices import coarse_notice, seam_note
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
        unusable: dict[str, str] = {}
        images = [image for part in sites.of_site.values() for image in part]
        ages = ages_of(job.slides)
        scans = [_scan(job, image, ages[image], unusable, fitted=image not in sites.held_out) for image in images]
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
        figures = figures.model_copy(update={"left_out": (*figures.left_out, *unusable.values())})
    with outcome.clock("write"):
        document = JudgementDocument(judgement=figures, held_out=sites.why)
        outcome.files.append(write_document(job, JUDGEMENT, document))
    text, visible = seam_note(job)
    (outcome.notices if visible else outcome.notes).extend(filter(None, [text]))
    outcome.notices += filter(None, [coarse_notice(job), *figures.left_out])
    return outcome


def head_of(job: Job[HarmonizeSettings], image: str, unusable: dict[str, str]) -> Head:
    """An image in the generator's units, of several channels their mean, with its masks; a coarser level of large ones.

    A volume's brain is what the list or a BIDS tree names; `unusable` takes up why a named mask of an image is not used.
    """
    stored = job.stored(image)
    level = _level(stored)
    head = Head(_values(job, image, stored, level), mask_on(tissue(job, image), stored.frames, level))
    if job.modality.planar:
        return head
    try:
        brain = given_mask_on(job, job.slides[image], head.mask.shape)
    except SlideError as error:
        unusable[image] = f"the brain of {job.slides[image].name}: its mask cannot be read: {error}"
        return head
    if brain is not None and not (brain & head.mask).any():
        unusable[image] = f"the brain of {job.slides[image].name}: its mask has no cell inside the head"
        return head
    return replace(head, brain=brain)


def _scan(job: Job[HarmonizeSettings], image: str, age: float, unusable: dict[str, str], *, fitted: bool) -> Scan:
    record, stored = job.slides[image], job.stored(image)
    covariates = {"age": age, "sex": _sex(record.columns.get("sex", ""))}
    numbers = {name: value for name, value in covariates.items() if np.isfinite(value)}
    return Scan(
        image,
        record.subject or image,
        record.site,
        fitted,
        stored.frames[_level(stored)],
        partial(head_of, job, image, unusable),
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


def _sex(text: str) -> float:
    """A sex as a number: 0 male, 1 female; a number as it is, NaN for other words."""
    number = read_number(text)
    known = {"m": 0.0, "f": 1.0}.get(sex_of(text))
    return known if known is not None else math.nan if number is None else number
