"""add: new cases are encoded and added to the index, without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import SettingsError
from ...stores.cases import Cases, read_added, write_added
from ...stores.lock import Lock
from ...stores.remote import absolute, as_list
from ..pipeline.record import ImageRecord
from ..runtime.load import load
from .encode import encode
from .gallery import SEARCHED_TABLES, open_gallery
from .keys import index_root, model_key, table_of
from .rows import cases_of, subject_of


@dataclass(frozen=True, slots=True)
class Added:
    """The result of adding cases."""

    out: str
    added: tuple[str, ...]
    """Names of the cases that were added."""
    known: tuple[str, ...]
    """Names of the cases that the index held already, unchanged."""
    cases: int
    """Number of cases that a search now covers."""


def add(out: str | Path, volumes: str | Path | Sequence[str | Path], *, force_unlock: bool = False) -> Added:
    """Encode volumes with the run's trained network and add them to the index. `volumes` is what `--volumes` takes.

    Added cases stay when the run's own part of the index is rebuilt. Raises SettingsError (E_NO_TABLE) if the run has no
    table of whole volumes, and LockedError if another process writes to the folder.
    """
    job = load(absolute(out))
    if not (table_of(job, SEARCHED_TABLES[0]) / "zarr.json").exists():
        raise SettingsError(
            f"{job.folder.out} holds no table of whole volumes, and only volumes can be added: for more tiles, run the same "
            "command with the new slides and --redo.",
            "E_NO_TABLE",
        )
    specs = [str(one) for one in as_list(volumes)]
    gallery = open_gallery(out)  # encodes added cases of an earlier network again
    records, embeddings = encode(job, specs)
    with Lock(job.folder.out, force=force_unlock):
        root = index_root(job)
        run_cases, added_cases = gallery.parts[0][0], read_added(root)
        run_keys = {(run_cases.text("path", i), run_cases.text("part", i)) for i in range(len(run_cases))}
        added_rows = range(len(added_cases)) if added_cases is not None else ()
        fingerprints = {
            (added_cases.text("path", i), added_cases.text("part", i)): added_cases.text("fingerprint", i)
            for i in added_rows
            if added_cases is not None and added_cases.text("model", i) == model_key(job)
        }
        known_records = [
            r
            for r in records
            if (r.path, r.subimage) in run_keys or fingerprints.get((r.path, r.subimage)) == r.fingerprint
        ]
        new_indices = [i for i, r in enumerate(records) if r not in known_records]
        if new_indices:
            changed = {(records[i].path, records[i].subimage) for i in new_indices}
            kept_rows = [
                i
                for i in added_rows
                if added_cases is not None and (added_cases.text("path", i), added_cases.text("part", i)) not in changed
            ]
            remaining = added_cases.rows(np.array(kept_rows, int)) if added_cases is not None else None
            if remaining is not None and remaining.vectors.shape[1] != embeddings.shape[1]:  # all of an earlier network
                remaining = remaining.unencoded(embeddings.shape[1])
            rows = cases_of(
                job,
                [_named_apart(records[i], run_cases, remaining) for i in new_indices],
                embeddings[new_indices],
            )
            write_added(root, remaining.with_rows(rows) if remaining is not None else rows)
    names = tuple(records[i].name for i in new_indices)
    return Added(str(job.folder.out), names, tuple(r.name for r in known_records), len(open_gallery(out)))


def _named_apart(record: ImageRecord, *parts: Cases | None) -> ImageRecord:
    """The record, with a number at its id if another case has that id, as files of the same name in other folders do.

    A subject that was not stated becomes empty: it is the id before the number, which is that of the other case.
    """
    number, candidate = 1, record.id
    while any(cases is not None and len(cases.words["id"].where(candidate)) for cases in parts):
        number += 1
        candidate = f"{record.id}-{number}"
    return replace(record, id=candidate, subject=subject_of(record))
