"""search: the cases of a run most like a query, and cases added to what is searched, without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SettingsError
from ..stores.cases import read_added, write_added
from ..stores.files import checksum
from ..stores.lock import Lock
from ..stores.remote import absolute
from .gallery import KINDS, cases_of, encode, index_root, open_gallery, table_of
from .hits import Hits
from .job import load
from .query import understood
from .show.neighbours import draw

At = tuple[float, ...]


def search(
    out: str | Path, query: str | Path, *, k: int = 10, at: At | None = None, same_subject: bool = False
) -> Hits:
    """The `k` cases of the run in `out` whose codes lie nearest to the query's.

    `query` is a case of the run (id, name or path) or a file, which the run's network encodes. Where the run is about
    tiles it is a slide and `at`, micrometres (y, x), or a picture no larger than a few patches. Cases of the query's own
    subject are left out (of its own slide, where no subject is known), unless `same_subject`.
    Raises SettingsError (E_NO_RUN, E_NO_TABLE, E_QUERY).
    """
    if k < 1:
        raise SettingsError(f"-k is the number of cases to find, 1 or more; got {k}.")
    gallery = open_gallery(out)
    asked = understood(gallery, query, at)
    group = -1 if same_subject else asked.group
    near = gallery.nearest(asked.vector, k + 1, group)
    found = [
        (int(row), float(distance))
        for row, distance in zip(near.rows[0], near.distances[0], strict=True)
        if row >= 0 and row != asked.row
    ]
    left_out = int(np.sum(gallery.groups == group)) if group >= 0 else 0
    return Hits(
        str(gallery.job.folder.out),
        asked.case,
        tuple(gallery.hit(row, rank, distance) for rank, (row, distance) in enumerate(found[:k], 1)),
        len(gallery),
        left_out - (asked.row >= 0 and group >= 0),
        gallery.recall,
        gallery.notes,
    )


def picture(hits: Hits, path: str | Path | None = None) -> Path:
    """Query and neighbours as a PNG, at `path` or in OUT/searches/ under the query's id; a file that is not in the run
    gives its picture no name, but a number made of its path."""
    from .planes import card

    job = load(absolute(hits.out))
    target = absolute(path) if path else job.folder.out / "searches" / f"{file_name(hits)}.png"
    return draw(target, card(job, hits.query), [card(job, hit) for hit in hits.rows])


def file_name(hits: Hits) -> str:
    """
    >>> from .hits import Case
    >>> file_name(Hits("out", Case("b-12:3:7", "b.tif"), (), 1, 0))
    'b-12-3-7'
    """
    case = hits.query
    text = f"{case.path} {case.part} {case.centre}"
    return case.id.replace(":", "-") or f"new-{checksum(text.encode('utf-8', 'surrogateescape')):08x}"


@dataclass(frozen=True, slots=True)
class Added:
    """What became of new cases."""

    out: str
    added: tuple[str, ...]
    """Names of those that are searched from now on."""
    known: tuple[str, ...]
    """Those that were there already, unchanged."""
    cases: int
    """That a search now looks among."""


def add(out: str | Path, new: str | Path | Sequence[str | Path], *, force_unlock: bool = False) -> Added:
    """Let searches find more volumes: they are encoded by the run's network as it is. `new` is what `--volumes` takes.

    They stay when the run's own part of the index is made anew. Raises LockedError where somebody writes to the folder.
    """
    job = load(absolute(out))
    if not (table_of(job, KINDS[0]) / "zarr.json").exists():
        raise SettingsError(
            f"{job.folder.out} holds no table of whole volumes, and only volumes can be added: for more tiles, run the same "
            "command with the new slides and --redo.",
            "E_NO_TABLE",
        )
    specs = [str(new)] if isinstance(new, str | Path) else [str(one) for one in new]
    before = open_gallery(out)  # added cases of an earlier network are encoded anew here
    records, codes = encode(job, specs)
    with Lock(job.folder.out, force=force_unlock):
        root = index_root(job)
        own, old = before.parts[0][0], read_added(root)
        mine = {(own.text("path", i), own.text("part", i)) for i in range(len(own))}
        there = range(len(old)) if old is not None else ()
        seen = {
            (old.text("path", i), old.text("part", i)): old.text("fingerprint", i) for i in there if old is not None
        }
        known = [r for r in records if (r.path, r.part) in mine or seen.get((r.path, r.part)) == r.fingerprint]
        fresh = [i for i, r in enumerate(records) if r not in known]
        if fresh:
            changed = {(records[i].path, records[i].part) for i in fresh}
            kept = [i for i in there if old is not None and (old.text("path", i), old.text("part", i)) not in changed]
            stay = old.rows(np.array(kept, int)) if old is not None else None
            rows = cases_of(job, [replace(records[i], id=_free(records[i].id, own, stay)) for i in fresh], codes[fresh])
            write_added(root, stay.with_rows(rows) if stay is not None else rows)
    names = tuple(records[i].name for i in fresh)
    return Added(str(job.folder.out), names, tuple(r.name for r in known), len(open_gallery(out)))


def _free(wanted: str, *taken: Any) -> str:
    """An id that no other case has: files of one name in two folders of the same name have one."""
    number, found = 1, wanted
    while any(cases is not None and len(cases.words["id"].where(found)) for cases in taken):
        number += 1
        found = f"{wanted}-{number}"
    return found


__all__ = ["Added", "Hits", "add", "picture", "search"]
