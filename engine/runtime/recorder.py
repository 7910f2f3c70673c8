"""recorder: passes a run's events on, and keeps its warnings for the report.

Warnings of a unit also stand in its receipt, from which a resumed run has them again; the recorder may write them later.
A killed run has the others nowhere else: the loop has them written at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...stores.folder import Folder
from ..pipeline.documents import read_run
from ..pipeline.progress import Event, Report
from ..pipeline.run_warnings import OPENING, RunWarning, read_warnings, write_warnings


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

    def begin(self, folder: Folder, *, opened: bool) -> None:
        """Write what was kept so far, after the earlier warnings of steps that run.json records: others have no result left.

        To be called once the run is prepared. `opened`: the images were opened anew, which said its warnings again.
        """
        recorded = set(read_run(folder).steps) | (set() if opened else {OPENING})
        earlier = (one for one in read_warnings(folder) if one.step in recorded)
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
