"""search: the cases of a run most like a query, and cases added to what is searched, without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import SettingsError
from ...stores.files import checksum
from ...stores.remote import absolute
from ..runtime.load import load
from ..show.neighbours import draw
from .gallery import open_gallery
from .hits import Hits
from .query import understood

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
    query_case = understood(gallery, query, at)
    group = -1 if same_subject else query_case.group
    near = gallery.nearest(query_case.vector, k + 1, group)
    found = [
        (int(row), float(distance))
        for row, distance in zip(near.rows[0], near.distances[0], strict=True)
        if row >= 0 and row != query_case.row
    ]
    left_out = int(np.sum(gallery.groups == group)) if group >= 0 else 0
    return Hits(
        str(gallery.job.folder.out),
        query_case.case,
        tuple(gallery.hit(row, rank, distance) for rank, (row, distance) in enumerate(found[:k], 1)),
        len(gallery),
        left_out - (query_case.row >= 0 and group >= 0),
        gallery.recall,
        gallery.notes,
    )


def picture(hits: Hits, path: str | Path | None = None) -> Path:
    """Query and neighbours as a PNG, at `path` or in OUT/searches/ under the query's id; a file that is not in the run
    gives its picture no name, but a number made of its path."""
    from .thumbnails import case_panel

    job = load(absolute(hits.out))
    target = absolute(path) if path else job.folder.out / "searches" / f"{file_name(hits)}.png"
    return draw(target, case_panel(job, hits.query), [case_panel(job, hit) for hit in hits.rows])


def file_name(hits: Hits) -> str:
    """
    >>> from .hits import Case
    >>> file_name(Hits("out", Case("b-12:3:7", "b.tif"), (), 1, 0))
    'b-12-3-7'
    """
    case = hits.query
    text = f"{case.path} {case.part} {case.centre}"
    return case.id.replace(":", "-") or f"new-{checksum(text.encode('utf-8', 'surrogateescape')):08x}"
