"""cluster: the main job. Slides in a folder become maps of the kinds of tissue in them, with no annotation and no settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..begin import How, Images, begin
from ..opened import Run
from ..stages import CLUSTER_SLIDES


def cluster(slides: Images, out: str | Path | None = None, *, how: How | None = None, **settings: Any) -> Run:
    """Find the kinds of tissue on slides, and where they are.

    `slides` is a folder, a glob, a file, a CSV or a list of these; `out` is `./<folder>-tiles` unless said; `settings` are
    those of `engine.settings.Settings` (k=14, spacing=1.0, ...). The same call on the same `out` goes on where it stopped.
    Raises a TileEngineError (see `tile_engine.errors`) where the whole run cannot go on; a slide that cannot be used is
    rejected with a reason (`Run.rejected`) and the others go on.
    Source: Rumman et al. 2023, PLOS Digital Health 2(12):e0000391.
    """
    return begin(CLUSTER_SLIDES, slides, out, how or How(), settings)
