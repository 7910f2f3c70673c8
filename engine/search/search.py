"""search: the cases of a run most similar to a query, and a picture of them."""

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
SEARCHES = "searches"
"""Folder of the results that holds pictures of searches."""


def search(
    out: str | Path,
    query: str | Path,
    *,
    k: int = 10,
    at: At | None = None,
    same_subject: bool = False,
    mpp: float | None = None,
    save: bool = True,
) -> Hits:
    """The `k` cases of the run in `out` whose embeddings are nearest to that of the query.

    `query` is a case of the run (id, name or path) or a file, which the run's network encodes. In a run on tiles, a query
    is a tile's id, a slide with `at` in micrometres (y, x), or a picture no larger than a few patches. Cases of the query's
    own subject (of its own slide, if no subject is known) are left out unless `same_subject` is true. `mpp`: micrometres a
    pixel of a picture that is not in the run; one without is taken to have the run's spacing. An index that had to be built is
    kept in OUT unless `save` is false.
    Raises SettingsError (E_NO_RUN, E_NO_TABLE, E_QUERY), and NoInputError if a file cannot be read.
    """
    if k < 1:
        raise SettingsError(f"-k is the number of cases to find, 1 or more; got {k}.")
    gallery = open_gallery(out, save=save)
    query_case = understood(gallery, query, at, mpp)
    group = -1 if same_subject else query_case.group
    neighbours = gallery.nearest(query_case.vector, k + 1, group)
    matches = [
        (int(row), float(distance))
        for row, distance in zip(neighbours.rows[0], neighbours.distances[0], strict=True)
        if row >= 0 and row != query_case.row
    ]
    left_out = int(np.sum(gallery.groups == group)) if group >= 0 else 0
    return Hits(
        str(gallery.job.folder.out),
        query_case.case,
        tuple(gallery.hit(row, rank, distance) for rank, (row, distance) in enumerate(matches[:k], 1)),
        len(gallery),
        left_out - (query_case.row >= 0 and group >= 0),
        gallery.recall,
        (*gallery.notes, *query_case.notes),
    )


def picture(hits: Hits, path: str | Path | None = None) -> Path:
    """Draw query and neighbours as a PNG at `path`, by default in OUT/searches/ under the name that `file_name` gives.

    Raises SettingsError (E_EXISTS) as `check_picture` does.
    """
    from .thumbnails import case_panel

    if path:
        check_picture(hits.out, path)
    job = load(absolute(hits.out))
    target = absolute(path) if path else job.folder.out / SEARCHES / f"{file_name(hits)}.png"
    return draw(target, case_panel(job, hits.query), [case_panel(job, hit) for hit in hits.rows])


def check_picture(out: str | Path, path: str | Path) -> None:
    """Raises SettingsError (E_EXISTS) for a file that is there already, unless it is a PNG in OUT/searches/: of a search."""
    target = absolute(path)
    is_of_a_search = target.parent == absolute(out) / SEARCHES and target.suffix == ".png"
    if target.exists() and not is_of_a_search:
        raise SettingsError(f"{target} is there already: give --picture a new name.", "E_EXISTS")


def file_name(hits: Hits) -> str:
    """The query's id as a file name; for a query that is not in the run, a checksum of its path and position.

    >>> from .hits import Case
    >>> file_name(Hits("out", Case("b-12:3:7", "b.tif"), (), 1, 0))
    'b-12-3-7'
    """
    case = hits.query
    text = f"{case.path} {case.part} {case.centre}"
    return case.id.replace(":", "-") or f"new-{checksum(text.encode('utf-8', 'surrogateescape')):08x}"
