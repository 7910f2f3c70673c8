"""add: new cases are encoded and added to the index, without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SettingsError
from ...stores.cases import read_added, write_added
from ...stores.lock import Lock
from ...stores.remote import absolute
from ..runtime.load import load
from .encode import encode
from .gallery import SEARCHED_TABLES, open_gallery
from .keys import index_root, table_of
from .rows import cases_of


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


def add(out: str | Path, new: str | Path | Sequence[str | Path], *, force_unlock: bool = False) -> Added:
    """Encode volumes with the run's trained network and add them to the index. `new` is what `--volumes` takes.

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
    specs = [str(new)] if isinstance(new, str | Path) else [str(one) for one in new]
    before = open_gallery(out)  # encodes added cases of an earlier network again
    records, embeddings = encode(job, specs)
    with Lock(job.folder.out, force=force_unlock):
        root = index_root(job)
        own, old = before.parts[0][0], read_added(root)
        mine = {(own.text("path", i), own.text("part", i)) for i in range(len(own))}
        there = range(len(old)) if old is not None else ()
        seen = {
            (old.text("path", i), old.text("part", i)): old.text("fingerprint", i) for i in there if old is not None
        }
        known = [r for r in records if (r.path, r.subimage) in mine or seen.get((r.path, r.subimage)) == r.fingerprint]
        fresh = [i for i, r in enumerate(records) if r not in known]
        if fresh:
            changed = {(records[i].path, records[i].subimage) for i in fresh}
            kept = [i for i in there if old is not None and (old.text("path", i), old.text("part", i)) not in changed]
            stay = old.rows(np.array(kept, int)) if old is not None else None
            rows = cases_of(
                job, [replace(records[i], id=_free(records[i].id, own, stay)) for i in fresh], embeddings[fresh]
            )
            write_added(root, stay.with_rows(rows) if stay is not None else rows)
    names = tuple(records[i].name for i in fresh)
    return Added(str(job.folder.out), names, tuple(r.name for r in known), len(open_gallery(out)))


def _free(name: str, *taken: Any) -> str:
    """`name`, with a number appended if another case has that id, as files of the same name in folders of the same name do."""
    number, found = 1, name
    while any(cases is not None and len(cases.words["id"].where(found)) for cases in taken):
        number += 1
        found = f"{name}-{number}"
    return found
