"""cluster: the main job. Slides in a folder become maps of the kinds of tissue in them, with no annotation and no settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import NoInputError
from ..images.modality import Images
from ..runs import KINDS
from ..runs.cluster import CLUSTER_SLIDES, CLUSTER_VOLUMES
from ..runtime.options import How
from ..runtime.start import begin
from .run import Run


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


def embed(
    volumes: Images | None = None,
    out: str | Path | None = None,
    *,
    slides: Images | None = None,
    how: How | None = None,
    **settings: Any,
) -> Run:
    """Embed whole volumes (`volumes`: a folder, a glob, files, a BIDS tree, a CSV) or, with `patch`, their tiles; or the
    tiles of `slides`.

    `settings` are those of `engine.settings` (network="arai", label="diagnosis", cv=0 ...). The same call on the same `out`
    goes on where it stopped. Raises a TileEngineError where the whole run cannot go on.
    Sources: Onga et al., IEEE BigData 2019 (arXiv 1912.01824); Hoffer and Ailon 2016 (arXiv 1611.01449).
    """
    if (volumes is None) == (slides is None):
        raise NoInputError("give either volumes or slides: a run is on one kind of images.")
    if slides is not None:
        return begin(KINDS["embed", "slides"], slides, out, how or How(), settings)
    return begin(
        KINDS["tiles" if "patch" in settings else "embed", "volumes"], volumes or "", out, how or How(), settings
    )
