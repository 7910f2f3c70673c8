"""embed: one vector a volume, from a network that learns to describe them; and, where classes are known, to tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import NoInputError, SlideError
from ...stores.frame import Array
from ...stores.volumes.cohort import find_volumes
from ...stores.volumes.reader import open_volume
from ..begin import How, Images, begin
from ..job import Job, SlideRecord
from ..opened import Run
from ..opening import open_volumes
from ..stages import KINDS
from .networks import ENCODED, WHOLE, load_network, model_name
from .prepare import new


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


def encode(job: Job, specs: Sequence[str]) -> tuple[list[SlideRecord], Array]:
    """Records and codes (n, F), float32, of volumes that the run does not know, by its network as it is.

    Raises NoInputError where none of them can be opened.
    """
    from ...models.codes import codes_of
    from .cases import best

    opened = open_volumes(find_volumes([str(s) for s in specs], t=job.settings.t))
    network = load_network(job, model_name(best(job), WHOLE))
    records: list[SlideRecord] = []
    rows: list[Array] = []
    reasons = [f"{r.name} [{r.code}]: {r.message}" for r in opened.rejected.values()]
    for record in opened.slides.values():
        try:
            with open_volume(Path(record.path), record.part) as volume:
                rows.append(codes_of(network, new(job, record, volume), ENCODED))
            records.append(record)
        except SlideError as error:
            reasons.append(f"{record.name} [{error.code}]: {error.message}")
    if not records:
        raise NoInputError("none of these volumes can be encoded:\n  " + "\n  ".join(reasons[:10]))
    return records, np.concatenate(rows)
