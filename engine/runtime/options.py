"""RunOptions: how a run is done. None of it changes a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from ..pipeline.option import WRITE, Option
from ..pipeline.progress import Report, silent
from ..workers.placement import ClusterOptions

STAGES = ("convert", "sample", "train", "apply", "map")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is done, as against what it is: none of this touches a result."""

    cluster: ClusterOptions = field(default_factory=ClusterOptions)
    redo: Annotated[
        bool, Option(WRITE, help="Go on with changed settings or slides: what depends on them is made anew.")
    ] = False
    force_unlock: Annotated[
        bool, Option(WRITE, help="Take over the lock of another host's run that is surely gone.")
    ] = False
    report: Report = silent
    stages: tuple[str, ...] = STAGES
    """Of these, a run goes through those that it has."""
