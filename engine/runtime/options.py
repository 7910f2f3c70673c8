"""RunOptions: how a run is executed. No option changes a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from ..pipeline.option import WRITE, Option
from ..pipeline.progress import Report, silent
from ..workers.placement import ClusterOptions

STAGES = ("convert", "sample", "train", "apply", "map")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is executed, as opposed to its settings: no option changes a result."""

    cluster: ClusterOptions = field(default_factory=ClusterOptions)
    redo: Annotated[
        bool, Option(WRITE, help="Go on with changed settings or slides: what depends on them is made anew.")
    ] = False
    force_unlock: Annotated[
        bool, Option(WRITE, help="Take over the lock of another host's run that is surely gone.")
    ] = False
    report: Report = silent
    stages: tuple[str, ...] = STAGES
    """Stages to execute; names that the run does not have are ignored."""
