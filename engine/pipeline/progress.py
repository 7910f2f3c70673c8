"""Progress: a run's events, passed as small values to one callback; and the progress file of remote workers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...stores.files import write_whole
from ...stores.remote import ObjectPath


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a run. `kind`: start, stage, progress, rejected, note, warning or done."""

    kind: str
    text: str = ""
    stage: str = ""
    done: float = 0
    total: float = 0
    facts: dict[str, Any] = field(default_factory=dict)


Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """A callback that discards events."""


class ProgressFile:
    """A file through which a long unit reports progress to the run's own process, at most once every `every` seconds."""

    def __init__(
        self,
        out: Path,
        *,
        part: int = 0,
        parts: int = 1,
        before: int = 0,
        after: int = 0,
        work: tuple[float, float] | None = None,
    ) -> None:
        """`part` of `parts`: of several trainings of equal length in one unit, which one tells; each tells its own steps.

        `before` and `after`: steps of the unit's other trainings, where they are of another length. `work`: shares of the
        unit's work that are done before this training and once it is done, where their steps take another time.
        """
        self.path = out / "receipts" / "progress.json"
        self._part, self._parts, self._before, self._after, self._work = part, parts, before, after, work
        self.every = 5.0 if isinstance(out, ObjectPath) else 0.5
        self._last = 0.0
        self._notice = ""

    def warn(self, text: str) -> None:
        """Report a text for the user, with the progress from now on."""
        self._notice = text
        self._write({"notice": text})

    def tell(self, step: str, done: int, total: int, figures: dict[str, float]) -> None:
        now = time.monotonic()
        if now - self._last < self.every and done != total:
            return
        self._last = now
        begun, ended = self._work or (0.0, 1.0)
        share = begun + (ended - begun) * (done / total if total else 1.0)
        done, total = self._before + done + self._part * total, self._before + self._parts * total + self._after
        share = done / total if total and not self._work else share
        report = {
            "step": step,
            "done": done,
            "total": total,
            "share": share,
            "figures": figures,
            "notice": self._notice,
        }
        self._write(report)

    def _write(self, report: dict[str, Any]) -> None:
        write_whole(self.path, json.dumps(report).encode())

    def look(self) -> dict[str, Any]:
        """The latest report; {} where there is none."""
        try:
            return dict(json.loads(self.path.read_bytes()))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
