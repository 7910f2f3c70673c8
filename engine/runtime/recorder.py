"""recorder: passes a run's events on, and keeps its warnings for the report.

Warnings of a unit also stand in its receipt, from which a resumed run has them again; the recorder may write them later.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...stores.folder import Folder
from ..pipeline.progress import Event, Report
from ..pipeline.run_warnings import OPENING, RunWarning, read_warnings, write_warnings
from ..pipeline.spec import Pipeline


class Recorder:
    """A callback for events: use it in place of `report`, then `begin` it once the run may write to its folder."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._warnings: dict[RunWarning, None] = {}  # in their order, each once
        self._folder: Folder | None = None
        self._written = -1

    def __call__(self, event: Event) -> None:
        self._report(event)
        if event.kind == "warning":
            facts = event.facts
            self.keep(facts.get("reason", event.text), facts.get("images", ()), facts.get("step", OPENING))

    @property
    def texts(self) -> tuple[str, ...]:
        """The warnings so far, with the names of images."""
        return tuple(": ".join(filter(None, (", ".join(one.images), one.text))) for one in self._warnings)

    def keep(self, text: str, images: Iterable[str] = (), step: str = OPENING) -> None:
        """Keep a warning that was said before."""
        self._warnings.setdefault(RunWarning(text=text, images=tuple(images), step=step))

    def begin(self, folder: Folder, pipeline: Pipeline, stages: Iterable[str], *, opened: bool) -> None:
        """Write what was kept so far, after the earlier warnings of stages that are not executed now.

        Those of steps that are executed are said again, or kept from receipts. `opened`: the images were opened anew.
        """
        again = {step.name for stage in stages for step in pipeline.stages[stage]} | ({OPENING} if opened else set())
        earlier = (one for one in read_warnings(folder) if one.step not in again)
        self._warnings = dict.fromkeys((*earlier, *self._warnings))
        self._folder = folder
        self.write()

    def write(self) -> None:
        """Write what was kept since the last time."""
        if self._folder is not None and self._written != len(self._warnings):
            self._written = len(self._warnings)
            write_warnings(self._folder, list(self._warnings))


def about(text: str, images: Iterable[str], step: str, **more: Any) -> dict[str, Any]:
    """The facts of a warning's event, by which the recorder tells what it is about."""
    return {"reason": text, "images": list(images), "step": step, **more}
