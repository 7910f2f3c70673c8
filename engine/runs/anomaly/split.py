"""split: which films are trained on: normal ones alone, and no film of a subject that is scored as unseen.

A column `split` of the list says it; without one, a share of the subjects of normal films is held out by the seed. Films that
are not normal are never trained on. Without any label, films of all subjects but the held-out ones are taken for normal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....errors import SettingsError
from ....stores.array import ArraySpec, StoredArray, written
from ....stores.folder import Folder
from ....stores.frame import Array, Box
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.films.index import FilmIndex, film_index
from ...steps.films.rows import IN_MEMORY
from .settings import AnomalySettings

SPLIT = "split"
PART = "part"
NONE, TRAIN, TEST = 0, 1, 2
"""Of a film: not used, trained on, scored as unseen."""
ANY = "any"
LEAST_TRAINED = 8
NAMES_OF_TRAINING = frozenset({"train", "training", "fit"})
NAMES_OF_TEST = frozenset({"test", "testing", "val", "valid", "validation", "holdout"})


@dataclass(frozen=True, slots=True)
class Division:
    """How films were divided."""

    part: Array
    """(film,) uint8: NONE, TRAIN or TEST."""
    notes: tuple[str, ...]
    """What the user should know about it."""


def write_split(job: Job[AnomalySettings], unit: Unit) -> Outcome:
    """Divide the films, and store each one's part."""
    outcome = Outcome()
    index = film_index(job.folder)
    division = divided(index, job.settings)
    path = job.folder.films / PART
    spec = ArraySpec(division.part.shape, "uint8", division.part.shape, division.part.shape, ("film",))
    with outcome.clock("write"):
        outcome.files.append(StoredArray.create(path, spec).write(Box((0,), division.part.shape), division.part))
        outcome.files.append(written(path / "zarr.json"))
    outcome.notices += division.notes
    outcome.facts.update(films=len(index), trained=int((division.part == TRAIN).sum()), notes=list(division.notes))
    return outcome


def parts_of(folder: Folder) -> Array:
    """Part of each film, (film,) uint8."""
    return StoredArray.open(folder.films / PART).read_all()


def divided(index: FilmIndex, settings: AnomalySettings) -> Division:
    """Divide the used films. Raises SettingsError (E_NO_TRAINING) where too few are left to train on."""
    from ....models.seeds import numpy_generator

    part = np.full(len(index), NONE, np.uint8)
    used = index.used
    notes: list[str] = []
    labels = np.char.lower(index.texts["label"][used].astype(str))
    normal = settings.normal.lower()
    if normal == ANY or not (labels != "").any():
        is_normal = np.ones(len(used), bool)
        if normal != ANY:
            notes.append(
                "no film has a label: all of them are taken for normal, so those that are not are trained on too"
            )
    else:
        is_normal = labels == normal
        if unknown := int((labels == "").sum()):
            notes.append(f"{unknown:,} films have no label: they are scored, and not trained on")
    part[used] = TEST
    stated = np.char.lower(index.texts["split"][used].astype(str))
    if np.isin(stated, sorted(NAMES_OF_TRAINING)).any():
        part[used[is_normal & np.isin(stated, sorted(NAMES_OF_TRAINING))]] = TRAIN
        odd = ~np.isin(stated, sorted(NAMES_OF_TRAINING | NAMES_OF_TEST))
        if odd.any():
            notes.append(
                f"{int(odd.sum()):,} films have another split than train or test: they are scored, and not trained on"
            )
        notes += _shared(index, part)
    else:
        subjects = index.texts["subject"][used]
        seen = np.unique(subjects[is_normal].astype(str))
        draw = numpy_generator(settings.seed, "holdout")
        held = set(draw.permutation(seen)[: max(1, round(settings.holdout * len(seen)))].tolist())
        # a subject with films of both kinds is scored: its normal film would make its other one less unlike
        held |= set(subjects[~is_normal].tolist())
        part[used[is_normal & np.array([subject not in held for subject in subjects], bool)]] = TRAIN
    notes += _kept_in_memory(part, settings)
    _check(part, used, is_normal, settings)
    return Division(part, tuple(notes))


def _shared(index: FilmIndex, part: Array) -> list[str]:
    """A note on subjects that the list has on both sides."""
    both = set(index.texts["subject"][part == TRAIN]) & set(index.texts["subject"][part == TEST])
    return [f"{len(both):,} subjects are on both sides of the list's split: their scores are too good"] if both else []


def _kept_in_memory(part: Array, settings: AnomalySettings) -> list[str]:
    """Leave as many films to train on as fit into memory, evenly spread."""
    rows, most = np.flatnonzero(part == TRAIN), IN_MEMORY // settings.side**2
    if len(rows) <= most:
        return []
    part[rows] = NONE
    part[rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]] = TRAIN
    part[rows[part[rows] == NONE]] = TEST
    return [f"{most:,} of {len(rows):,} normal films are trained on: as many as fit into {IN_MEMORY >> 20} MiB"]


def _check(part: Array, used: Array, is_normal: Array, settings: AnomalySettings) -> None:
    if (count := int((part == TRAIN).sum())) < LEAST_TRAINED:
        raise SettingsError(
            f"{count} films are left to train on, at least {LEAST_TRAINED} are needed: {int(is_normal.sum())} of {len(used)} used "
            f"films have the label {settings.normal!r} (--normal), and a share of {settings.holdout:g} is held out.",
            "E_NO_TRAINING",
        )
