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
        bool, Option(WRITE, help="Accept changed settings or slides: results that depend on them are made again.")
    ] = False
    force_unlock: Annotated[
        bool, Option(WRITE, help="Take over the lock of a run on another host that has certainly ended.")
    ] = False
    mode: Annotated[
        str | None,
        Option(
            WRITE,
            metavar="OCTAL",
            default="700 where results carry columns of a list, else as the system sets it",
            help="Access rights of OUT where it is created, such as 750. A folder that exists keeps its own.",
        ),
    ] = None
    report: Report = silent
    stages: tuple[str, ...] = STAGES
    """Stages to execute; names that the run does not have are ignored."""
