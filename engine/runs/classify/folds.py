"""folds: which films each network is trained on, which set its threshold, and which it judges: those of other subjects.

```text
films.zarr/part (network, film) uint8      0 not used, 1 trained on, 2 validation, 3 judged
```
A column `split` of the list takes the place of folds: one network, `final`, is trained and judged. With folds, `final` is
trained on all films but a validation part, and judges none: it is what `apply` takes to new films.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....errors import SettingsError
from ....stores.array import ArraySpec, StoredArray, written
from ....stores.folder import Folder
from ....stores.frame import Array, Box
from ....stores.lists.spellings import plain_spelling
from ...pipeline.documents import find_document, read_document
from ...pipeline.job import Job
from ...pipeline.record import digest
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from ...steps.split_column import NONE, TEST, TRAIN, VALIDATION, check_sides, parts_of_split
from .cohort import FilmCohort, cohort_of
from .divisible import check_classes, is_divisible, least_subjects, named_labels
from .documents import FOLDS, Folds, PartSizes
from .settings import ClassifySettings
from .trained import FINAL

PART = "part"
NETWORKS = r"final|repeat-\d+-fold-\d+|site-\d+-fold-\d+"
"""Pattern of the networks' names."""
TONE_PERCENTILES = (1.0, 99.0)


@dataclass(frozen=True, slots=True)
class Division:
    """How films are divided."""

    parts: dict[str, Array]
    """Network -> part of each film, (film,) uint8."""
    stated: bool = False
    notes: tuple[str, ...] = ()
    sites: dict[str, str] = field(default_factory=dict)
    """Network -> the only site that it is trained on."""


def write_folds(job: Job[ClassifySettings], unit: Unit) -> Outcome:
    """Divide the films, store each one's part, and say how many of which label are where."""
    cohort = cohort_of(job)
    return store_division(job, cohort, divided(cohort, job.settings))


def store_division(job: Job[Any], cohort: FilmCohort, division: Division) -> Outcome:
    outcome = Outcome()
    table = np.stack(list(division.parts.values()))
    path = job.folder.films / PART
    with outcome.clock("write"):
        spec = ArraySpec(table.shape, "uint8", table.shape, table.shape, ("network", "film"))
        outcome.files.append(StoredArray.create(path, spec).write(Box((0, 0), table.shape), table))
        outcome.files.append(written(path / "zarr.json"))
        outcome.files.append(write_document(job, FOLDS, _document(cohort, division)))
    outcome.notices += division.notes
    outcome.facts.update(films=table.shape[1], networks=len(table))
    return outcome


def _document(cohort: FilmCohort, division: Division) -> Folds:
    labelled = cohort.labels >= 0
    tones = cohort.index.properties["mean_intensity"][labelled]
    sites = cohort.sites
    return Folds(
        classes=cohort.classes,
        networks={
            name: PartSizes(
                train=_counts(cohort, part == TRAIN),
                validation=_counts(cohort, part == VALIDATION),
                test=_counts(cohort, part == TEST),
                site=division.sites.get(name, ""),
            )
            for name, part in division.parts.items()
        },
        stated=division.stated,
        repeats=len({name.split("-fold-")[0] for name in division.parts if name.startswith("repeat-")}) or 1,
        pretraining=dict(sorted(Counter(cohort.pretraining_labels[cohort.learned_first].tolist()).items())),
        sites={str(site): _counts(cohort, labelled & (sites == site)) for site in np.unique(sites[labelled]) if site},
        subjects=len(np.unique(cohort.subjects[labelled])),
        learned=learned_by(cohort, division),
        intensities=tuple(np.percentile(tones, TONE_PERCENTILES).tolist()) if len(tones) else (),
        notes=division.notes,
    )


def learned_by(cohort: FilmCohort, division: Division) -> tuple[str, ...]:
    """Digests of the subjects that the final network has seen, in plain spelling, to find them among new films."""
    seen = np.isin(division.parts[FINAL], (TRAIN, VALIDATION)) | cohort.learned_first
    return tuple(sorted({digest(plain_spelling(subject)) for subject in cohort.subjects[seen].tolist()}))


def _counts(cohort: FilmCohort, rows: Array) -> dict[str, int]:
    """Label -> films; "" for films without one."""
    labels, counts = np.unique(cohort.labels[rows], return_counts=True)
    return {cohort.classes[k] if k >= 0 else "": int(n) for k, n in zip(labels, counts, strict=True)}


def folds_of(folder: Folder) -> Folds:
    return read_document(folder, FOLDS, Folds)


def parts_of(folder: Folder) -> dict[str, Array]:
    """Network -> part of each film, (film,) uint8."""
    names = folds_of(folder).networks
    return dict(zip(names, StoredArray.open(folder.films / PART).read_all(), strict=True))


def network_units(job: Job[ClassifySettings], step: str) -> Iterator[Unit]:
    """One unit for each network; before the films are divided, as the settings foresee."""
    folds = find_document(job.folder, FOLDS, Folds)
    names = list(folds.networks) if folds else [*_fold_names(job.settings.division), FINAL]
    for name in names:
        yield Unit(step, name)


def _fold_names(division: dict[str, Any]) -> list[str]:
    return [f"repeat-{r}-fold-{f}" for r in range(1, division["repeats"] + 1) for f in range(1, division["cv"] + 1)]


def divided(cohort: FilmCohort, settings: ClassifySettings) -> Division:
    """Divide the films. Raises SettingsError (E_LABELS, E_FEW_SUBJECTS) where they cannot be."""
    from ....models.evaluation.subject_splits import repeated_folds, subject_split

    sizes = settings.division
    stated = parts_of_split(cohort.index.texts["split"].tolist())
    stated = np.where(cohort.usable, stated, NONE)
    labelled = cohort.labels >= 0
    if (stated != NONE).any():
        return _as_stated(cohort, stated, settings)
    check_classes(cohort, labelled, least_subjects(sizes["cv"]))
    rows = np.flatnonzero(labelled)
    labels, subjects = cohort.labels[rows], cohort.subjects[rows]
    parts: dict[str, Array] = {}
    with named_labels(cohort.classes):
        for split in repeated_folds(
            labels,
            subjects,
            folds=sizes["cv"],
            repeats=sizes["repeats"],
            validation=sizes["validation"],
            seed=settings.seed,
        ):
            name = f"repeat-{split.repeat + 1}-fold-{split.fold + 1}"
            parts[name] = _part(cohort, rows[split.train], rows[split.validation], rows[split.test])
        shares = (1 - sizes["validation"], sizes["validation"], 0.0)
        whole = subject_split(labels, subjects, shares=shares, seed=settings.seed)
        parts[FINAL] = _part(cohort, rows[whole.train], rows[whole.validation], None)
    notes = _notes(cohort, settings)
    sites, more = _of_sites(cohort, settings) if settings.site_matrix else ({}, [])
    return Division(
        parts | {name: part for name, (_, part) in sites.items()},
        False,
        (*notes, *more),
        {n: s for n, (s, _) in sites.items()},
    )


def _part(cohort: FilmCohort, train: Array, validation: Array, test: Array | None) -> Array:
    """`test` None: nothing is judged. Films without a label are judged by networks that did not see their subject."""
    part = np.full(len(cohort.labels), NONE, np.uint8)
    if test is not None:
        seen = np.unique(cohort.subjects[np.concatenate([train, validation])])
        part[cohort.usable & (cohort.labels < 0) & ~np.isin(cohort.subjects, seen)] = TEST
        part[test] = TEST
    part[train], part[validation] = TRAIN, VALIDATION
    return part


def _as_stated(cohort: FilmCohort, stated: Array, settings: ClassifySettings) -> Division:
    """The parts that the list states; a validation part is drawn from the training films where it states none."""
    from ....models.evaluation.subject_splits import subject_split

    labelled, subjects = cohort.labels >= 0, cohort.subjects
    if not {TRAIN, TEST} <= set(stated[labelled].tolist()):
        words = sorted({text.strip() for text in cohort.index.texts["split"][cohort.usable]} - {""})
        raise SettingsError(
            f"the column `split` of the films that have a label says {', '.join(words[:8])}: it needs both train and test (and "
            "perhaps validation), or is left out for folds by subject.",
            "E_SPLIT",
        )
    learned, judged = labelled & np.isin(stated, (TRAIN, VALIDATION)), stated == TEST
    check_sides(subjects, learned, judged)
    notes = list(_notes(cohort, settings))
    rows = np.flatnonzero(learned)
    check_classes(cohort, learned, 2)
    check_classes(cohort, labelled & (stated == TRAIN), 1)
    if (stated[rows] == VALIDATION).any():
        validation = rows[stated[rows] == VALIDATION]
        if set(cohort.labels[validation]) != set(range(len(cohort.classes))):
            raise SettingsError(
                "the validation films of the column `split` lack a label: they set the threshold, and need all.",
                "E_SPLIT",
            )
        train = rows[stated[rows] == TRAIN]
        if shared := set(subjects[train]) & set(subjects[validation]):
            notes.append(
                f"{len(shared):,} subjects are in the training and the validation part: calibration and threshold are too good"
            )
    else:
        share = settings.division["validation"]
        split = subject_split(cohort.labels[rows], subjects[rows], shares=(1 - share, share, 0.0), seed=settings.seed)
        train, validation = rows[split.train], rows[split.validation]
    if odd := int((cohort.usable & (stated == NONE)).sum()):
        notes.append(f"{odd:,} films are on neither side of the column `split`: they are neither trained on nor judged")
    part = np.full(len(cohort.labels), NONE, np.uint8)
    part[judged], part[train], part[validation] = TEST, TRAIN, VALIDATION
    if settings.site_matrix:
        notes.append("no matrix of sites is made where a column `split` states the parts")
    return Division({FINAL: part}, True, tuple(notes))


def _of_sites(cohort: FilmCohort, settings: ClassifySettings) -> tuple[dict[str, tuple[str, Array]], list[str]]:
    """Network -> (site, parts) of the networks that are trained on one site; a note on sites that have none."""
    from ....models.evaluation.site_matrix import site_trainings

    sizes, sites = settings.division, cohort.sites
    labelled = np.flatnonzero((cohort.labels >= 0) & (sites != ""))
    least = least_subjects(sizes["cv"])
    able = [
        site
        for site in np.unique(sites[labelled])
        for own in [labelled[sites[labelled] == site]]
        if is_divisible(cohort.labels[own], cohort.subjects[own], least)
        and len(set(cohort.labels[own])) == len(cohort.classes)
    ]
    if len(able) < 2 or len(cohort.classes) != 2:
        return {}, [f"no matrix of sites is made: it needs two sites with {least} subjects of each of two labels"]
    rows = labelled[np.isin(sites[labelled], able)]
    trainings = site_trainings(
        sites[rows].tolist(),
        cohort.labels[rows],
        cohort.subjects[rows],
        folds=sizes["cv"],
        validation=sizes["validation"],
        seed=settings.seed,
    )
    parts: dict[str, tuple[str, Array]] = {}
    for one in trainings:
        part = np.full(len(cohort.labels), NONE, np.uint8)
        for tests in one.tests.values():
            part[rows[tests]] = TEST
        part[rows[one.split.train]], part[rows[one.split.validation]] = TRAIN, VALIDATION
        parts[f"site-{able.index(one.site) + 1}-fold-{one.split.fold + 1}"] = (one.site, part)
    left = sorted(set(np.unique(sites[labelled])) - set(able))
    return parts, [
        f"sites with fewer than {least} subjects of a label are not in the matrix of sites: {', '.join(left)}"
    ] if left else []


def _notes(cohort: FilmCohort, settings: ClassifySettings) -> Iterator[str]:
    if cohort.classes and plain_spelling(cohort.classes[0]) != plain_spelling(settings.normal):
        yield (
            f"no film has the label {settings.normal!r} (--normal): {cohort.classes[0]!r}, the most frequent one, is taken for "
            "normal, and sensitivity is that of the others"
        )
    unnamed = {
        bool((cohort.subjects == cohort.index.texts["name"].astype(str))[task].all())
        for task in (cohort.usable, cohort.of_pretraining)
        if task.any()
    }
    if len(unnamed) > 1:
        yield "one of the two tasks names no subjects: a person in both of them is learned first and judged all the same"
    odd = cohort.usable & (cohort.index.texts["split"] != "")
    if odd.any() and not parts_of_split(cohort.index.texts["split"][odd].tolist()).any():
        yield "the column `split` holds no train and no test: it says nothing, and films are divided into folds"
    if missing := int((cohort.usable & (cohort.labels < 0)).sum()):
        yield f"{missing:,} films have no label: they are judged, and count in no figure"
    shared = cohort.of_pretraining & np.isin(cohort.subjects, cohort.subjects[cohort.usable])
    if shared.any():
        yield f"{int(shared.sum()):,} films of the task that is learned first are left out: their subjects are in this task too"
