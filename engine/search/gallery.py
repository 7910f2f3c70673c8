"""Gallery: the cases of a run, opened for searching from OUT/index/; an index that does not fit the run is rebuilt there.

A stale index is never used. If OUT cannot be written, or is locked, the index is built in memory only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import CorruptError, LockedError, MachineError, NoInputError, SettingsError
from ...stores.cases import Cases, StoredIndex, TextColumn, read_added, read_index, write_added, write_index
from ...stores.frame import Array
from ...stores.lock import Lock
from ...stores.remote import absolute, real, to_path
from ..pipeline.documents import read_run
from ..pipeline.job import Job
from ..runtime.load import load
from .encode import encode
from .hits import Case, Hit
from .keys import fingerprint, index_root, model_key, table_of
from .rows import PLACES, TEXTS, gathered

if TYPE_CHECKING:
    from ...models.neighbours.index import Index, Neighbours

SEARCHED_TABLES = ("volumes", "tiles")
"""Tables that can be searched; a row is a volume or a tile."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """The cases that are searched. Rows number the run's own cases first, then the added cases."""

    job: Job[Any]
    kind: str
    parts: tuple[tuple[Cases, Index], ...]
    """The run's own cases and the added cases, each with its nearest-neighbour index."""
    groups: Array
    """int (row,): rows of the same subject share a number; where the subject is unknown, rows of the same slide or volume."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def recall(self) -> float:
        return min(index.recall for _, index in self.parts)

    def part(self, row: int) -> tuple[Cases, int]:
        """The part that holds a row, and the row's number within that part."""
        first = self.parts[0][0]
        return (first, row) if row < len(first) else (self.parts[1][0], row - len(first))

    def vector(self, row: int) -> Array:
        cases, at = self.part(row)
        return np.asarray(cases.vectors[at], np.float32)

    def case(self, row: int) -> Case:
        return Case(**self._fields(row))

    def hit(self, row: int, rank: int, distance: float) -> Hit:
        return Hit(**self._fields(row), rank=rank, distance=distance)

    def _fields(self, row: int) -> dict[str, Any]:
        cases, at = self.part(row)
        values: dict[str, Any] = {name: cases.text(name, at) for name in TEXTS}
        if self.kind == "volumes":
            return values
        values["slide"] = cases.text("slide", at)
        values["id"] = ":".join(
            [values["slide"], *(str(int(cases.numbers[n][at])) for n in PLACES if n in cases.numbers)]
        )
        return values | {n: cases.number(n, at) for n in ("z_um", "y_um", "x_um")}

    def where(self, column: str, text: str) -> list[int]:
        """Rows whose text in `column` equals `text`."""
        offset, out = 0, []
        for cases, _ in self.parts:
            if column in cases.words:
                out += (cases.words[column].where(text) + offset).tolist()
            offset += len(cases)
        return out

    def nearest(self, vector: Array, k: int, without: int = -1) -> Neighbours:
        """The `k` nearest neighbours over all parts, merged; rows of the group `without` are left out."""
        from ...models.neighbours.index import merge_neighbours

        offset, neighbours = 0, []
        for cases, index in self.parts:
            neighbours.append((index.nearest(vector[None], k, np.array([without])), offset))
            offset += len(cases)
        return merge_neighbours(neighbours, k)


def open_gallery(out: str | Path, *, save: bool = True) -> Gallery:
    """The gallery of a run; the last one opened is cached until its table, models or added cases change.

    An index that had to be built is written to OUT, unless `save` is false.

    Raises SettingsError (E_NO_RUN, E_NO_TABLE) if there is nothing to search, and CorruptError for damaged files.
    """
    job = load(absolute(out))
    kind = next((k for k in SEARCHED_TABLES if (table_of(job, k) / "zarr.json").exists()), None)
    if kind is None:
        called = job.pipeline.called
        remedy = (
            f"`tile-engine run {called}` leaves none. Search a run of `tile-engine run embed` on the same images."
            if read_run(job.folder).status == "done"
            else "finish the run first (run the same command again)."
        )
        raise SettingsError(f"{job.folder.out} has no table to search yet: {remedy}", "E_NO_TABLE")
    added = index_root(job) / "added.npz"
    stamp = added.stat().st_mtime_ns if added.exists() else 0
    with _one_at_a_time:
        return _gallery(job.folder.out, kind, fingerprint(job, kind), model_key(job), stamp, save)


_one_at_a_time = threading.Lock()


@lru_cache(maxsize=1)
def _gallery(out: Path, kind: str, table: str, model: str, stamp: int, save: bool) -> Gallery:
    from ...models.neighbours.index import ExactIndex

    job = load(out)
    notes: list[str] = []
    root = index_root(job)
    added = _current(job, read_added(root), model, notes, save=save)
    outside = None if added is None else _outside(job, added)
    others = [] if outside is None or not len(outside) else [outside]
    own, index, groups = _own(job, kind, table, others, notes, save=save)
    parts: list[tuple[Cases, Index]] = [(own, index)]
    for cases in others:
        if cases.vectors.shape[1] != own.vectors.shape[1]:
            raise CorruptError(
                f"{root / 'added.npz'} holds embeddings of {cases.vectors.shape[1]} numbers, those of the run have "
                f"{own.vectors.shape[1]}. Remove it and add the cases again."
            )
        parts.append((cases, ExactIndex(cases.vectors, groups[len(own) :])))
    return Gallery(job, kind, tuple(parts), groups, tuple(notes))


def _own(
    job: Job[Any], kind: str, table: str, others: list[Cases], notes: list[str], *, save: bool
) -> tuple[Cases, Index, Array]:
    """The run's own cases, their index (from OUT/index/, or rebuilt from the run's table), and the groups of all cases.

    The index has the numbers of `groups_of` over all cases, of which some are in `others`: over its own alone they differ.
    """
    from ...models.neighbours import inverted_lists as lists
    from ...models.neighbours.index import ExactIndex

    root = index_root(job)
    try:
        stored_index = read_index(root, table)
    except CorruptError:  # not our folder: writing to it is refused below, and the index is built in memory
        stored_index = None
    cases = gathered(job, kind, notes) if stored_index is None else stored_index.cases
    groups = groups_of([cases, *others])
    own_groups = groups[: len(cases)]
    if stored_index is not None:
        if stored_index.lists is None:
            return cases, ExactIndex(cases.vectors, own_groups), groups
        options = stored_index.document["lists"]
        return cases, lists.restore_index(cases.vectors, own_groups, stored_index.lists, **options), groups
    index = lists.build_index(cases.vectors, own_groups, seed=job.settings.seed)
    if not save:
        return cases, index, groups
    inverted_lists = index if isinstance(index, lists.InvertedLists) else None
    document = {
        "kind": kind,
        "table": table,
        "model": model_key(job),
        "rows": len(cases),
        "features": int(cases.vectors.shape[1]),
        "recall": index.recall,
        "lists": {"probes": inverted_lists.probes, "recall": inverted_lists.recall} if inverted_lists else None,
    }
    new_index = StoredIndex(cases, document, inverted_lists.bytes() if inverted_lists else None)
    try:
        with Lock(job.folder.out):
            if fingerprint(load(job.folder.out), kind) == table:  # a run may have changed the table meanwhile
                write_index(root, new_index)
    except (LockedError, OSError, MachineError, SettingsError) as error:
        notes.append(f"the index could not be saved, so the next search builds it again: {error}")
    return cases, index, groups


def groups_of(parts: Iterable[Cases]) -> Array:
    """A group number per row: one per subject; where the subject is unknown, one per slide or volume."""
    parts = list(parts)
    owner, subject = ([c.words[n] for c in parts] for n in ("id" if "id" in parts[0].words else "slide", "subject"))
    owners, subjects = owner[0], subject[0]
    for one, other in zip(owner[1:], subject[1:], strict=True):
        owners, subjects = owners.joined(one), subjects.joined(other)
    known = (subjects.names != "")[subjects.codes]
    out: Array = np.where(known, subjects.codes, len(subjects.names) + owners.codes.astype(np.int64))
    return out


def _outside(job: Job[Any], added: Cases) -> Cases:
    """The added cases without images of the run itself, which may have got them since."""
    run = {(record.path, record.subimage) for record in job.slides.values()}
    keys = [(added.text("path", i), added.text("part", i)) for i in range(len(added))]
    return added.rows(np.array([i for i, key in enumerate(keys) if key not in run], int))


def _current(job: Job[Any], added: Cases | None, model: str, notes: list[str], *, save: bool) -> Cases | None:
    """Added cases with embeddings of the current network; files that an earlier network encoded are encoded again.

    Those that cannot be encoded again are left out, and stay in the file without an embedding.
    """
    if added is None:
        return None
    is_stale = np.array([added.text("model", i) != model for i in range(len(added))], bool)
    if not is_stale.any():
        return added
    current, stale = added.rows(np.flatnonzero(~is_stale)), added.rows(np.flatnonzero(is_stale))
    embeddings = _encoded_again(job, stale, notes)
    rows = np.array(sorted(embeddings), int)
    lost = stale.rows(np.setdiff1d(np.arange(len(stale)), rows))
    if len(lost):
        notes.append(
            f"{len(lost)} added cases were encoded by an earlier network, and their files are gone or cannot be encoded: they "
            "are left out"
        )
    if not len(rows):
        return current
    words = {**stale.rows(rows).words, "model": TextColumn.of([model] * len(rows))}
    encoded_cases = Cases(np.stack([embeddings[row] for row in rows]), words)
    all_cases = current.with_rows(encoded_cases) if len(current) else encoded_cases
    if save:
        try:
            with Lock(job.folder.out):
                write_added(index_root(job), all_cases.with_rows(lost.unencoded(all_cases.vectors.shape[1])))
        except (LockedError, OSError, MachineError, SettingsError) as error:
            notes.append(f"added cases were encoded again, but could not be saved: {error}")
    return all_cases


def _encoded_again(job: Job[Any], cases: Cases, notes: list[str]) -> dict[int, Array]:
    """Row -> embedding by the current network, of the cases whose files can be encoded."""
    keys = [(real(to_path(cases.text("path", i))), cases.text("part", i)) for i in range(len(cases))]
    paths = [path for path in dict.fromkeys(cases.text("path", i) for i in range(len(cases))) if to_path(path).exists()]
    try:
        records, embeddings = encode(job, paths) if paths else ([], np.zeros((0, 0), np.float32))
    except NoInputError as error:
        notes.append(error.message)
        return {}
    new = {(real(to_path(r.path)), r.subimage): one for r, one in zip(records, embeddings, strict=True)}
    return {row: new[key] for row, key in enumerate(keys) if key in new}
