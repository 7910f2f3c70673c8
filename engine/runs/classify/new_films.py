"""new_films: the films that a trained network judges, and whether they are like those that it was trained on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....stores.lists.spellings import listed_spelling, plain_spelling
from ...pipeline.documents import read_document
from ...pipeline.job import Job
from ...pipeline.record import digest
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import read_record
from ...steps.split_column import NONE, TEST
from .cohort import FilmCohort, cohort_of
from .documents import ClassifierRecord, Folds
from .folds import Division, store_division
from .settings import TrainedFilmSettings
from .trained import FINAL, ORIGIN

MANY = 0.1
"""Share of the films beyond the tones of the training films from which it is said; 2 % of these lie there themselves."""


def write_new_folds(job: Job[TrainedFilmSettings], unit: Unit) -> Outcome:
    """All used films are judged by the final network."""
    origin = read_document(job.folder, ORIGIN, Folds)
    classes = read_record(job, FINAL, ClassifierRecord).classes
    cohort = cohort_of(job)
    notes = tuple(differences(cohort, origin, classes))
    part = np.where(cohort.usable, TEST, NONE).astype(np.uint8)
    cohort = cohort.numbered_as(classes)
    return store_division(job, cohort, Division({FINAL: part}, notes=notes))


def differences(cohort: FilmCohort, origin: Folds, classes: tuple[str, ...]) -> Iterator[str]:
    """What tells the new films from those that the network was trained on; other spellings of a value are that value."""
    unknown = sorted(name for name in cohort.classes if listed_spelling(name, classes) not in classes)
    if unknown:
        count = int(np.isin(cohort.labels, [cohort.classes.index(name) for name in unknown]).sum())
        yield f"{count:,} films have labels that the network does not know ({', '.join(unknown[:5])}): they count in no figure"
    learned = set(origin.learned)
    subjects = cohort.subjects[cohort.usable].tolist()
    if seen := sum(bool({digest(one), digest(plain_spelling(one))} & learned) for one in subjects):
        yield (
            f"{seen:,} films are of subjects that the network was trained on, by their names: figures that count "
            "them are too good"
        )
    tones = cohort.index.properties["mean_intensity"][cohort.usable]
    if len(tones) and len(origin.intensities) == 2:
        low, high = (float(value or 0) for value in origin.intensities)
        outside = float(((tones < low) | (tones > high)).mean())
        if outside >= MANY:
            yield (
                f"{outside:.0%} of the films are darker or brighter than those that the network was trained on (mean "
                f"intensity {low:.2f} to {high:.2f}): its figures do not hold for them"
            )
    sites = set(cohort.sites[cohort.usable].tolist()) - {""}
    strange = sorted(site for site in sites if listed_spelling(site, origin.sites) not in origin.sites)
    if strange and origin.sites:
        names = ", ".join(strange[:5])
        yield f"the network was trained on no film of {names} ({len(strange)} sites): its figures may not hold there"
