"""query_stain: how a query from a file is stained, in a run whose networks see normalised stains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...stores.slides.file_marks import fingerprint
from ...stores.source import Source
from ..pipeline.job import Job
from ..pipeline.settings import RunSettings
from ..steps.source_stain import TooLittle, source_stain
from ..steps.stain import WHY_UNTOLD, slide_stain

if TYPE_CHECKING:
    from ...models.stains.profile import StainProfile


def query_stain(job: Job[RunSettings], path: Path, source: Source) -> tuple[StainProfile | None, tuple[str, ...]]:
    """(profile, warnings): of a slide of the run the profile that the run itself has; of another file one of its own, or None
    with a warning where its stain cannot be told, as of a small crop."""
    key = fingerprint(path)
    for slide, record in job.slides.items():
        if record.fingerprint == key:
            return slide_stain(job, slide), ()
    found = source_stain(source)
    if not isinstance(found, str | TooLittle):
        return found, ()
    why = f"{WHY_UNTOLD['tissue']}: {found.mm2:.2g} mm²" if isinstance(found, TooLittle) else WHY_UNTOLD[found]
    text = (
        f"the stain of {path.name} cannot be told ({why}): the query is not normalised, but the run's slides "
        "are, so what is found may follow the stain. A tile of a slide of the run (SLIDE --at Y,X) is normalised."
    )
    return None, (text,)
