"""index: what the list says of every film, beside the prepared films: name, subject, site, label, and whether it is used.

A film is used unless it cannot be read, is of another modality than asked for, or has no label by the rule of two columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np

from ....errors import SettingsError
from ....stores.array import StoredArray
from ....stores.cache import near
from ....stores.films.film import is_radiograph
from ....stores.films.labels import two_field_labels
from ....stores.films.mark import film_mark
from ....stores.films.stack_columns import StackColumns, columns_of
from ....stores.folder import Folder
from ....stores.frame import Array, Box
from ....stores.lists.cells import value_of
from ....stores.receipts import Ledger, Receipt
from ....stores.remote import to_path
from ....stores.texts import read_texts, write_texts
from ...pipeline.image_documents import read_images
from ...pipeline.job import Job
from ...pipeline.outputs import Output
from ...pipeline.record import FilmFile, ImageRecord
from ...pipeline.step import Step, all_columns, once
from ...pipeline.unit import Outcome, Unit
from ..label_column import USUAL, check_label
from .convert import FILMS, name_of
from .layout import PROPERTIES, first_row
from .settings import ANY_MODALITY, RADIOGRAPHS, FilmSettings

INDEX = "index"
TEXTS = ("name", "subject", "site", "label", "modality", "split", "reason")
"""Columns of text; `reason` says why a film is left out, and is empty for one that is used."""
UNREADABLE, OTHER_MODALITY = "unreadable", "other modality"
DISAGREES, UNSTATED = "the two columns of the report disagree", "a column of the report is empty"
FOLDER = "folder"
"""Column that every film has: the name of the folder that its file lies in."""


def index_step() -> Step:
    """The step that writes the index of films.zarr, for every run on films."""
    return Step(
        INDEX,
        "index films",
        write_index,
        once,
        settings=("modality", "label", "normal_if"),
        columns=all_columns,
        outputs=(Output("films.zarr", rf"({'|'.join(TEXTS)})/(zarr\.json|c/\d+)"),),
        cohort=True,
    )


def write_index(job: Job[FilmSettings], unit: Unit) -> Outcome:
    """Write the columns of text of every film, in the order of films.zarr."""
    outcome = Outcome()
    unreadable = StoredArray.open(job.folder.films / "unreadable")
    count = unreadable.spec.shape[0]
    rule = job.settings.rule
    columns = {name: np.full(count, "", object) for name in (*TEXTS, *rule)}
    notes: dict[str, tuple[int, str, str]] = {}
    with outcome.clock("compute"):
        for batch, record in read_images(job.folder).items():
            first, receipt = first_row(job, batch), _receipt_of(job, batch)
            is_used = receipt is not None
            lost = unreadable.read(Box((first,), (first + record.shape[0],))) if is_used else np.ones(record.shape[0])
            for row, film in enumerate(_films(record, receipt.facts["modality"] if receipt else []), first):
                film["label"] = film.get(job.settings.label, "")
                if lost[row - first]:
                    film["reason"] = UNREADABLE
                elif not _is_asked_for(film["modality"], job.settings.modality):
                    film["reason"] = f"{OTHER_MODALITY} ({film['modality'] or 'none is stated'})"
                for name in columns:
                    columns[name][row] = film.get(name, "")
            for kind, (number, name, note) in (receipt.facts["notes"] if receipt else {}).items():
                before, first_name, example = notes.get(kind, (0, name, note))
                notes[kind] = (before + number, first_name, example)
        if rule and (job.settings.needs_labels or all(any(columns[name]) for name in rule)):
            _label_by_rule(columns, rule, needed=job.settings.needs_labels)
    with outcome.clock("write"):
        for name in TEXTS:
            outcome.files += write_texts(job.folder.films / name, columns[name], count, axis="film")
    left_out = Counter(reason for reason in columns["reason"] if reason and reason != UNREADABLE)
    outcome.notices += [f"{number:,} films, as {name}: {note}" for number, name, note in notes.values()]
    outcome.notices += [f"{number:,} films are left out: {reason}" for reason, number in sorted(left_out.items())]
    outcome.notices += dict.fromkeys(_notes_on_sets(job))
    outcome.notices += _subjects_said(columns)
    outcome.notes += _labels_said(columns)
    outcome.facts.update(films=count, reasons=dict(sorted(left_out.items())))
    return outcome


def stated_index(job: Job[FilmSettings]) -> FilmIndex | None:
    """The index as lists and sets state it before any film is read: modality and reason are empty, and there are no properties.

    None once the index is written. What cannot be divided is refused by it before hours of conversion.
    """
    if (job.folder.films / "reason").exists() or not job.slides:
        return None
    rule = job.settings.rule
    count = max(first_row(job, batch) + record.shape[0] for batch, record in job.slides.items())
    columns = {name: np.full(count, "", object) for name in (*TEXTS, *rule)}
    columns["reason"][:] = UNREADABLE  # rows of batches that were rejected
    for batch, record in job.slides.items():
        for row, film in enumerate(_films(record, []), first_row(job, batch)):
            film |= {"label": film.get(job.settings.label, ""), "reason": ""}
            for name in columns:
                columns[name][row] = film.get(name, "")
    if rule:
        _label_by_rule(columns, rule)
    return FilmIndex({name: columns[name] for name in TEXTS}, {})


def _receipt_of(job: Job[FilmSettings], batch: str) -> Receipt | None:
    """The receipt of a batch that was read; None of one that was rejected."""
    if batch not in job.slides:
        return None
    return Ledger(job.folder.out, FILMS, job.ledger_key(FILMS, batch)).find(f"{batch}/{FILMS}")


def check_rule(job: Job[FilmSettings], *, taken: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Raises SettingsError, before any work, for a rule (E_MANIFEST) of columns in which no film has a value, in the list or in
    a set, and for a label that the list lacks, where no set may have it. `taken`: settings of a trained run; new films need
    not have the columns of those taken over."""
    files = [file for record in job.slides.values() for file in record.films]
    names = {name for file in files for name, value in file.columns.items() if value}
    is_asked_for = job.settings.normal_if != taken.get("normal_if", "")
    sets = [file for file in files if holds_columns(file)]
    if is_asked_for and not names.issuperset(job.settings.rule):
        for file in sets:
            names |= {name for name, values in _columns(file.path, file.part).values.items() if any(values)}
        if missing := [name for name in job.settings.rule if name not in names]:
            raise _no_column(missing, names)
    if sets:
        return
    if not (job.settings.rule and is_asked_for) and job.settings.label != taken.get("label", USUAL):
        check_label(job, (FOLDER, "name", "subject", "site"))


def _no_column(missing: Iterable[str], names: Iterable[str]) -> SettingsError:
    return SettingsError(
        f"normal_if: no film has a value in the column {' or '.join(map(repr, missing))}; the list has "
        f"{', '.join(sorted(names)) or 'no other columns'}.",
        "E_MANIFEST",
    )


def _label_by_rule(columns: dict[str, Array], rule: Mapping[str, tuple[str, ...]], *, needed: bool = True) -> None:
    """Set labels by two columns of a report, and if labels are needed the reason of films that have none by it."""
    if missing := [name for name in rule if not any(columns[name])]:
        raise _no_column(missing, [name for name in rule if name not in missing])
    for name in rule:
        columns[name][:] = [value_of(cell) for cell in columns[name]]
    used = np.flatnonzero(columns["reason"] == "")
    first, second = rule
    fields = {name: columns[name][used].tolist() for name in rule}
    labels = two_field_labels(fields, (first, second), (rule[first], rule[second])).labels
    columns["label"][used] = labels
    for row, label in zip(used, labels, strict=True):
        if needed and not label:
            stated = all(columns[name][row] for name in rule)
            columns["reason"][row] = DISAGREES if stated else UNSTATED


def _labels_said(columns: dict[str, Array]) -> Iterator[str]:
    """How many films have which label."""
    counts = Counter(columns["label"][columns["reason"] == ""])
    if counts and set(counts) != {""}:
        said = ", ".join(f"{label or 'none'} {number:,}" for label, number in counts.most_common(8))
        yield f"labels of the films that are used: {said}"


def _subjects_said(columns: dict[str, Array]) -> Iterator[str]:
    """A warning where the list names no subjects."""
    used = columns["reason"] == ""
    if used.any() and (columns["subject"] == columns["name"])[used].all():
        yield "the list names no subjects: each film counts as a subject of its own, and one person can be on both sides"


def _films(record: ImageRecord, modalities: Iterable[tuple[str, int]]) -> Iterator[dict[str, str]]:
    """Every film of a batch: its columns by name. The list goes before what stands in a set."""
    stated = (name for name, length in modalities for _ in range(length))
    for file in record.films:
        in_set = _columns(file.path, file.part).values if holds_columns(file) else {}
        folder = PurePosixPath(file.name.removesuffix(f"/{file.part}")).parent.name
        for index in range(file.first, file.first + file.count):
            name = name_of(file, index)
            yield {
                FOLDER: folder,
                "subject": name,
                **{column: values[index] for column, values in in_set.items() if values[index]},
                **{column: value for column, value in file.columns.items() if value},
                **({"subject": file.subject} if file.subject else {}),
                **({"site": file.site} if file.site else {}),
                "name": name,
                "modality": next(stated, ""),
            }


def holds_columns(file: FilmFile) -> bool:
    """Whether a file may say something of its films: it is a set."""
    return bool(file.part) or file.total > 1 or file.path.lower().endswith((".npy", ".npz"))


def _notes_on_sets(job: Job[FilmSettings]) -> Iterator[str]:
    """What stands beside sets and is no column."""
    for record in job.slides.values():
        for file in record.films:
            if holds_columns(file):
                yield from (f"{file.name}: {note}" for note in _columns(file.path, file.part).notes)


@lru_cache(maxsize=2)
def _columns(path: str, part: str) -> StackColumns:
    """What stands beside the films of a set, read once for all of its batches."""
    file = to_path(path)
    with near(file, film_mark(file), alone=True) as local:
        return columns_of(local, part)


def _is_asked_for(modality: str, setting: str) -> bool:
    """Whether films of a DICOM modality are used; of radiographs also those that state none."""
    names = setting.lower().split(",")
    if ANY_MODALITY in names or (RADIOGRAPHS in names and is_radiograph({"modality": modality}) is not False):
        return True
    return bool(modality) and modality.lower() in names


@dataclass(frozen=True, slots=True)
class FilmIndex:
    """Columns of all films of a run, in the order of films.zarr; each an array (film,)."""

    texts: dict[str, Array]
    """Name, subject, site, label, modality, split, reason: object arrays of text."""
    properties: dict[str, Array]
    """Numbers: see `layout.PROPERTIES`."""

    def __len__(self) -> int:
        return len(self.texts["name"])

    @property
    def used(self) -> Array:
        """Rows of the films that are used, ascending."""
        return np.flatnonzero(self.texts["reason"] == "")


def film_index(folder: Folder) -> FilmIndex:
    """The index of films.zarr. Raises CorruptError where it is missing or damaged."""
    texts = {name: read_texts(folder.films / name) for name in TEXTS}
    properties = {name: StoredArray.open(folder.films / name) for name in PROPERTIES}
    used = texts["reason"] != UNREADABLE
    return FilmIndex(texts, {name: _numbers(array, used) for name, array in properties.items()})


def _numbers(array: StoredArray, used: Array) -> Array:
    """The numbers of all films, shard by shard; 0 in shards of which no film is used: a rejected batch has none."""
    values = np.zeros(array.spec.shape, array.spec.dtype)
    for box in array.spec.shards:
        if used[box.slices].any():
            values[box.slices] = array.read(box)
    return values
