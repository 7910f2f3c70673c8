"""cluster: the main job. Slides in a folder become maps of the kinds of tissue in them, with no annotation and no settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import NoInputError
from ..begin import How, Images, begin
from ..opened import Run
from ..stages import CLUSTER_SLIDES, CLUSTER_VOLUMES


def cluster(
    slides: Images | None = None,
    out: str | Path | None = None,
    *,
    volumes: Images | None = None,
    how: How | None = None,
    **settings: Any,
) -> Run:
    """Find the kinds of tissue on `slides`, or in `volumes`, and where they are.

    Either is a folder, a glob, a file, a CSV or a list of these; `out` is `./<folder>-tiles` unless said; `settings` are
    those of `engine.settings.Settings` (k=14, spacing=1.0, ...). The same call on the same `out` goes on where it stopped.
    Raises a TileEngineError (see `tile_engine.errors`) where the whole run cannot go on; a slide that cannot be used is
    rejected with a reason (`Run.rejected`) and the others go on.
    Source: Rumman et al. 2023, PLOS Digital Health 2(12):e0000391.
    """
    if slides is not None and volumes is None:
        return begin(CLUSTER_SLIDES, slides, out, how or How(), settings)
    if volumes is None or slides is not None:
        raise NoInputError("give either slides or volumes: a run is on one kind of images.")
    return begin(CLUSTER_VOLUMES, volumes, out, how or How(), settings)
