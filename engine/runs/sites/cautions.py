"""cautions: what a reader of the report should know before the figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...pipeline.job import Job
from ...steps.checkpoints import find_record
from .check_maps import mean_of
from .documents import Evaluation, Explanations, SiteRecord
from .evaluate import BASELINE, DISCRIMINANT, HEADER, NETWORK
from .folds import STEP, trained_cohort, trained_folds

FEW = 10
"""Subjects of a site below which figures say little about others."""
ALIKE = 0.7
"""Rank correlation with the map of random weights from which a map does not tell what was learned."""


def cautions_of(job: Job[Any], document: Evaluation, explanations: Explanations) -> Iterator[tuple[str, str]]:
    """(headline, text) of each."""
    if _folds_may_have_moved(job):
        yield (
            f"Some {job.modality.name} may have been judged by networks that saw their subjects.",
            "The networks were trained by an earlier version, which drew the folds otherwise where an image was rejected "
            "later, or a site has few images. Figures may be too good, and maps may be of other networks: run anew with "
            "another OUT.",
        )
    if document.header_tells:
        header = document.methods[HEADER]
        yield (
            f"The header alone names the site: {header.accuracy:.3f} of the images.",
            "Matrix and voxel size differ between sites, so the network may tell how images were resampled or cropped rather "
            "than how they were acquired. Compare images of one matrix and voxel size.",
        )
    for control in document.shuffled:
        if control.p is not None and control.p > 0.05:
            yield (
                f"By {control.method}, shuffled sites are named as well as the true ones (p = {control.p:.2f}).",
                "What this method finds is no evidence that sites differ.",
            )
    network = document.methods[NETWORK].accuracy or 0.0
    baseline = max(document.methods[name].accuracy or 0.0 for name in (BASELINE, DISCRIMINANT))
    if network < baseline:
        yield (
            f"Intensities and texture name the site better ({baseline:.3f}) than the network ({network:.3f}).",
            "The network was trained too little, or on too few images; try --effort thorough. Its maps show what it knows.",
        )
    if document.why:
        yield "There are fewer folds than --cv asks for.", document.why
    few = [name for name, count in _subjects(job, document).items() if count < FEW]
    if few:
        yield (
            f"{len(few)} of {len(document.sites)} sites have fewer than {FEW} subjects.",
            "Figures of so few subjects say little about others.",
        )
    alike = mean_of([check.all_layers for check in explanations.checks])
    if alike > ALIKE:
        yield (
            f"Maps of random weights look like those of the networks (rank correlation {alike:.2f}).",
            "The maps then show the images rather than what was learned about sites.",
        )


def _folds_may_have_moved(job: Job[Any]) -> bool:
    """Whether an earlier version drew the folds, and images were rejected since, or a site has fewer of them than there are
    folds, of which it was drawn otherwise; those of the list's split are not drawn."""
    records = [find_record(job, name, SiteRecord) for name in trained_folds(job) if name != "split"]
    if not any(record is not None and not record.folds_stay for record in records):
        return False
    rarest = np.unique(trained_cohort(job).sites, return_counts=True)[1].min()
    return bool(len(job.slides_before(STEP)) > len(job.slides) or rarest < job.settings.cv)


def _subjects(job: Job[Any], document: Evaluation) -> dict[str, int]:
    """Site -> number of its subjects."""
    subjects: dict[str, set[str]] = {name: set() for name in document.sites}
    for record in job.slides.values():
        if record.site.strip():
            subjects[record.site.strip()].add(record.subject or record.id)
    return {name: len(found) for name, found in subjects.items()}
