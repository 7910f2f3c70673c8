"""split: which rows are trained on: normal ones alone, and none of a subject that is scored as unseen.

A column `split` of the list says it; without one, a share of the subjects of normal rows is held out by the seed. Rows that are
not normal are never trained on. Without any label, rows of all subjects but the held-out ones are taken for normal; of slides
none is held out then, as rare tissue is what is unlike most of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import SettingsError
from ....stores.array import ArraySpec, StoredArray, written
from ....stores.frame import Array, Box
from ....stores.lists.spellings import are_spelt
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.films.index import check_rule, stated_index
from ...steps.label_column import check_label
from ...steps.split_column import learned_and_judged, unknown_words
from .medium import NONE, PART, TEST, TRAIN, Medium, Rows, texts_of_images
from .settings import ScoreSettings

SPLIT = "split"
ANY = "any"


@dataclass(frozen=True, slots=True)
class Division:
    """How rows were divided."""

    part: Array
    """(row,) uint8: TRAIN, TEST (judged), or NONE: not used, or scored and not judged."""
    notes: tuple[str, ...]
    """What the user should know about it."""


def write_split(job: Job[Any], unit: Unit, *, medium: Medium) -> Outcome:
    """Divide the rows, and store each one's part."""
    outcome = Outcome()
    division = divided(Rows(medium.texts(job), {}), job.settings, medium)
    path = medium.store(job.folder) / PART
    shape = division.part.shape
    spec = ArraySpec(shape, "uint8", shape, shape, (medium.name.removesuffix("s"),))
    with outcome.clock("write"):
        outcome.files.append(StoredArray.create(path, spec).write(Box((0,), division.part.shape), division.part))
        outcome.files.append(written(path / "zarr.json"))
    outcome.notices += division.notes
    outcome.facts.update(
        rows=len(division.part), trained=int((division.part == TRAIN).sum()), notes=list(division.notes)
    )
    return outcome


def check_films(job: Job[Any], *, medium: Medium) -> None:
    """Raises SettingsError, before any work, for a rule of columns that the list lacks, or too few films to train on."""
    check_rule(job)
    if stated := stated_index(job):
        divided(Rows(stated.texts, {}), job.settings, medium)


def check_images(job: Job[Any], *, medium: Medium) -> None:
    """Raises SettingsError, before any work, for a lacking column of labels, or too few slides or volumes to train on."""
    check_label(job)
    divided(Rows(texts_of_images(job, list(job.slides)), {}), job.settings, medium)


def divided(rows: Rows, settings: ScoreSettings, medium: Medium) -> Division:
    """Divide the used rows. Raises SettingsError (E_NO_TRAINING) where too few are left to train on."""
    part = np.full(len(rows), NONE, np.uint8)
    used = rows.used
    notes: list[str] = []
    labels, words = rows.texts["label"][used].astype(str), rows.texts["split"][used].astype(str).tolist()
    knows_normal = settings.normal.lower() != ANY
    unlabelled = not knows_normal or not (labels != "").any()
    is_normal = np.ones(len(used), bool) if unlabelled else np.array(are_spelt(labels.tolist(), settings.normal), bool)
    if unlabelled and knows_normal:
        notes.append(_without_labels(medium))
    elif unknown := int((labels == "").sum()) * (not unlabelled):
        notes.append(f"{unknown:,} {medium.name} have no label: they are scored, and not trained on")
    trains, tests = learned_and_judged(words)
    if odd := unknown_words(words):
        notes.append(
            f"the column `split` says {', '.join(odd[:5])}, which names no part: it tells nothing of such {medium.name}"
        )
    subjects = rows.texts["subject"][used].astype(str)
    if trains.any():
        learned = is_normal & trains
    elif unlabelled and medium.trains_on_all and not tests.any():
        learned = np.ones(len(used), bool)
    else:
        # a subject with rows of both kinds is scored: its normal row would make its other one less unlike
        apart = tests | (~is_normal & (labels != ""))
        learned = (
            is_normal
            & ~np.isin(subjects, subjects[apart])
            & ~_held_out(subjects[is_normal & ~tests], subjects, settings)
        )
    part[used] = TEST
    part[used[learned]] = TRAIN
    notes += _of_trained_subjects(rows, part, medium)
    notes += _limited(part, settings, medium)
    if (count := int((part == TRAIN).sum())) < medium.least:
        raise SettingsError(
            f"{count} {medium.name} are left to train on, at least {medium.least} are needed: {int(is_normal.sum())} of "
            f"{len(used)} used {medium.name} have the label {settings.normal!r} (--normal); subjects with another label, those "
            f"of the split's test rows and a share of {settings.holdout:g} of the others are held out.",
            "E_NO_TRAINING",
        )
    return Division(part, tuple(notes))


def _held_out(candidates: Array, subjects: Array, settings: ScoreSettings) -> Array:
    """Whether each row's subject is one of the share of the candidates that the seed holds out."""
    from ....models.seeds import numpy_generator

    people = np.unique(candidates)
    drawn = numpy_generator(settings.seed, "holdout").permutation(people)
    return np.isin(subjects, drawn[: max(1, round(settings.holdout * len(people)))])


def _of_trained_subjects(rows: Rows, part: Array, medium: Medium) -> list[str]:
    """Take rows of subjects that are trained on out of what is judged."""
    subjects = rows.texts["subject"].astype(str)
    shared = (part == TEST) & np.isin(subjects, subjects[part == TRAIN])
    part[shared] = NONE
    if not shared.any():
        return []
    return [
        f"{int(shared.sum()):,} {medium.name} are of subjects who are trained on: they are scored, and count in no figure"
    ]


def _without_labels(medium: Medium) -> str:
    if medium.trains_on_all:
        return (
            f"no {medium.name.removesuffix('s')} has a label: networks learn all of them, and what is unlike most is rare, "
            "whether it is abnormal or not"
        )
    noun = medium.name.removesuffix("s")
    return f"no {noun} has a label: all of them are taken for normal, so those that are not are trained on too"


def _limited(part: Array, settings: ScoreSettings, medium: Medium) -> list[str]:
    """Leave as many rows to train on as fit into memory, evenly spread; the others are scored, and not judged."""
    rows, most = np.flatnonzero(part == TRAIN), medium.most(settings)
    if len(rows) <= most:
        return []
    part[rows] = NONE
    part[rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]] = TRAIN
    return [
        f"{most:,} of {len(rows):,} normal {medium.name} are trained on, as many as fit into memory; the others are scored"
    ]
