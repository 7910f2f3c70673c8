"""index: what the list says of every film, beside the prepared films: name, subject, site, label, and whether it is used.

A film is used unless it cannot be read, is of another modality than asked for, or has no label by the rule of two columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

import numpy as np

from ....errors import SettingsError
from ....stores.array import StoredArray
from ....stores.films.film import is_radiograph
from ....stores.films.labels import two_field_labels
from ....stores.films.stack_columns import columns_of
from ....stores.folder import Folder
from ....stores.frame import Array, Box
from ....stores.receipts import Ledger
from ....stores.remote import to_path
from ....stores.texts import read_texts, write_texts
from ...pipeline.job import Job
from ...pipeline.outputs import Output
from ...pipeline.record import ImageRecord
from ...pipeline.step import Step, all_columns, once
from ...pipeline.unit import Outcome, Unit
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
    columns["reason"][:] = UNREADABLE  # until a batch says otherwise: rejected batches have no rows
    with outcome.clock("compute"):
        for batch, record in job.slides.items():
            first = first_row(job, batch)
            lost = unreadable.read(Box((first,), (first + record.shape[0],)))
            for row, film in enumerate(_films(job, record), first):
                unwanted = not _is_wanted(film["modality"], job.settings.modality)
                film["label"] = film.get(job.settings.label, "")
                film["reason"] = f"{OTHER_MODALITY} ({film['modality']})" if unwanted else ""
                if lost[row - first]:
                    film["reason"] = UNREADABLE
                for name in columns:
                    columns[name][row] = film.get(name, "")
        if rule:
            _label_by_rule(job, columns)
    with outcome.clock("write"):
        for name in TEXTS:
            outcome.files += write_texts(job.folder.films / name, columns[name], count, axis="film")
    left_out = Counter(reason for reason in columns["reason"] if reason and reason != UNREADABLE)
    outcome.notices += [f"{number:,} films are left out: {reason}" for reason, number in sorted(left_out.items())]
    outcome.notices += _notes_on_labels(job.settings.label, columns)
    outcome.facts.update(films=count, reasons=dict(sorted(left_out.items())))
    return outcome


def _label_by_rule(job: Job[FilmSettings], columns: dict[str, Array]) -> None:
    """Set labels by two columns of a report, and the reason of films that have none by it."""
    rule = job.settings.rule
    names = {name for record in job.slides.values() for file in record.films for name in file.columns}
    if missing := [name for name in rule if not any(columns[name])]:
        raise SettingsError(
            f"normal_if: no film has a value in the column {' or '.join(map(repr, missing))}; the list has "
            f"{', '.join(sorted(names)) or 'no columns'}.",
            "E_LABELS",
        )
    used = np.flatnonzero(columns["reason"] == "")
    first, second = rule
    fields = {name: columns[name][used].tolist() for name in rule}
    labels = two_field_labels(fields, (first, second), (rule[first], rule[second])).labels
    columns["label"][used] = labels
    for row, label in zip(used, labels, strict=True):
        if not label:
            stated = all(columns[name][row] for name in rule)
            columns["reason"][row] = DISAGREES if stated else UNSTATED


def _notes_on_labels(column: str, columns: dict[str, Array]) -> Iterator[str]:
    """What was taken for labels and subjects."""
    used = columns["reason"] == ""
    counts = Counter(columns["label"][used])
    if counts and set(counts) != {""}:
        said = ", ".join(f"{label or 'none'} {number:,}" for label, number in counts.most_common(8))
        yield f"labels of the films that are used: {said}"
    if used.any() and (columns["subject"] == columns["name"])[used].all():
        yield "the list names no subjects: each film counts as a subject of its own, so films of one person can be on both sides"


def _films(job: Job[FilmSettings], record: ImageRecord) -> Iterator[dict[str, str]]:
    """Every film of a batch: its columns by name."""
    receipt = Ledger(job.folder.out, FILMS, job.ledger_key(FILMS, record.id)).find(f"{record.id}/{FILMS}")
    runs = receipt.facts["modality"] if receipt else []
    modalities = (name for name, length in runs for _ in range(length))
    for file in record.films:
        in_set = _columns(file.path, file.part) if file.part or file.path.endswith(".npy") else {}
        for index in range(file.first, file.first + file.count):
            name = name_of(file, index)
            own = {column: values[index] for column, values in in_set.items()}
            yield {
                "subject": file.subject or name,
                "site": file.site,
                FOLDER: PurePosixPath(file.name).parent.name,
                **{column: value for column, value in file.columns.items() if value},
                **{column: value for column, value in own.items() if value},
                "name": name,
                "modality": next(modalities, ""),
            }


@lru_cache(maxsize=2)
def _columns(path: str, part: str) -> dict[str, tuple[str, ...]]:
    """What stands beside the films of a set, by column: read once for all of its batches."""
    return columns_of(to_path(path), part).values


def _is_wanted(modality: str, asked: str) -> bool:
    """Whether films of a DICOM modality are used; those that state none are, unless names are asked for."""
    if asked == ANY_MODALITY:
        return True
    if asked == RADIOGRAPHS:
        return is_radiograph({"modality": modality}) is not False
    return modality in asked.split(",")


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
