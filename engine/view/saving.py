"""saving: names, colours and merges of clusters that the page sends become a CSV, and `relabel` does with it what it does.

```text
request   checks the names, and shows them: the tree as it will be
thread    relabel: labels, tables, maps, report; what came meanwhile is saved next, the newest table alone
failed    the names stay shown, until they are saved again or let go of: what `relabel` began with them is then undone
closed    the viewer ends: nothing begins any more
```
"""

from __future__ import annotations

import csv
import logging
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import SettingsError, TileEngineError
from ..pipeline.progress import Event
from ..runs.cluster.classes import Classes
from .answers import Answer, RequestError
from .edited import IGNORED, table_of
from .levels import tree_to_be
from .viewer import Viewer

COLUMNS = ("cluster", "name", "colour", "into")
LOGGER = "tile_engine_viewer"
"""Of what is for the terminal: what `tile_engine` logs goes to log.txt alone while a run is written, whoever logs it."""
log = logging.getLogger(LOGGER)

Rows = list[dict[str, str]]


@dataclass(slots=True)
class Saving:
    """The work of `relabel` on one run, in a thread."""

    state: str = "idle"
    """idle, running, done or failed."""
    text: str = ""
    """What it is doing, or why it failed."""
    queue: list[tuple[int, Rows]] = field(default_factory=list)
    """Level and table of all clusters that are saved next, or nothing: the newest holds all that was edited before."""
    thread: threading.Thread | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while the other fields change, and while more than one of them is read."""
    before: tuple[int, Classes] | None = None
    """Level and classes of the run when it was last whole, while other ones are or could not be saved."""
    is_closed: bool = False

    @property
    def is_running(self) -> bool:
        return self.state == "running"

    def document(self) -> dict[str, str]:
        with self.lock:
            return {"state": self.state, "text": self.text}

    def close(self) -> None:
        """Begin nothing any more; what is being saved goes on."""
        with self.lock:
            self.is_closed = True


def start_saving(viewer: Viewer, saving: Saving, run: int, body: Any) -> Answer:
    """Show the names at once and begin to save them; `saving` tells how that goes. A body of `discard` lets go of those that
    could not be saved.

    Raises SettingsError (E_READ_ONLY) where nothing may be written and for what `relabel` would refuse, RequestError for what
    is no table of clusters.
    """
    if viewer.relabel is None:
        raise SettingsError("the viewer was started with --read-only: nothing is saved.", "E_READ_ONLY")
    tree = viewer.tree(run)
    if tree is None or not tree.can_be_named:
        raise SettingsError("this run has no clusters to name.", "E_NO_CLUSTERS")
    if body == {"discard": True}:
        return _discard(viewer, saving, run)
    level, edits = _checked(body)
    if level not in tree.levels or not edits.keys() <= set(tree.levels[level].numbers):
        raise RequestError("level is a level of the tree, and the clusters are those of this level")
    with saving.lock:  # the table is made of what is shown: two requests at once would lose one's edits
        if saving.is_closed:
            return _closed()
        return _begin(viewer, saving, run, (level, table_of(viewer.tree(run) or tree, level, edits)))


def write_classes(folder: Path, rows: Rows) -> Path:
    """Write the table of clusters as `relabel --classes` reads it."""
    path = folder / "clusters.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def has_begun(viewer: Viewer, saving: Saving, run: int) -> bool:
    """Whether the run has the names that were being saved, so that its labels, tables and maps may be gone; so it is taken of
    a run that cannot be read."""
    try:
        return saving.before is not None and _choice(viewer, run) != saving.before
    except TileEngineError:
        return True


def _choice(viewer: Viewer, run: int) -> tuple[int, Classes]:
    settings = viewer.job(run).settings
    return settings.level, settings.classes


def _begin(viewer: Viewer, saving: Saving, run: int, table: tuple[int, Rows]) -> Answer:
    """Show a table at once, and save it next; the lock is held."""
    level, rows = table
    with tempfile.TemporaryDirectory(prefix="tile-engine-view-") as folder:
        shown = tree_to_be(viewer.job(run), level, write_classes(Path(folder), rows))
    if shown is not None:
        viewer.pending[run] = shown
    _queue(viewer, saving, run, table)
    return _state(saving, 202)


def _queue(viewer: Viewer, saving: Saving, run: int, table: tuple[int, Rows]) -> None:
    """Save a table next; the lock is held."""
    saving.queue = [table]
    if saving.is_running:
        return
    saving.before = saving.before or _choice(viewer, run)
    saving.state, saving.text = "running", "begins"
    saving.thread = threading.Thread(target=_save, args=(viewer, saving, run), name="saving")
    saving.thread.start()


def _discard(viewer: Viewer, saving: Saving, run: int) -> Answer:
    """Show the names from before those that could not be saved; where the run has these already, it gets the former back."""
    with saving.lock:
        if saving.is_running:
            return _state(saving)
        if saving.is_closed:
            return _closed()
        viewer.pending.pop(run, None)
        viewer.forget()
        if saving.before is None or _choice(viewer, run) == saving.before:
            saving.state, saving.text, saving.before = "idle", "", None
            return _state(saving)
        level, classes = saving.before
        rows = [
            dict(zip(COLUMNS, (str(c), name, colour, str(into or "")), strict=True))
            for c, name, colour, into in classes
        ]
        return _begin(viewer, saving, run, (level, rows))


def _state(saving: Saving, status: int = 200) -> Answer:
    return Answer.of({"state": saving.state, "text": saving.text}, status)


def _closed() -> Answer:
    return Answer.of({"error": "the viewer is ending: nothing is saved any more", "code": ""}, 503)


def _save(viewer: Viewer, saving: Saving, run: int) -> None:
    """Save what is queued until nothing is."""
    while True:
        with saving.lock:
            level, rows = saving.queue.pop()
        with viewer.busy:
            failure = _relabel(viewer, saving, run, level, rows)
        with saving.lock:
            viewer.forget()
            if saving.queue:  # the newer table holds these names, too
                continue
            if not failure:
                viewer.pending.pop(run, None)
                saving.before = None
            saving.state, saving.text = "failed" if failure else "done", failure
            return


def _relabel(viewer: Viewer, saving: Saving, run: int, level: int, rows: Rows) -> str:
    """Do what the command does; why it failed, empty where it did not."""

    def report(event: Event) -> None:
        if event.kind == "progress":
            with saving.lock:
                saving.text = f"{event.text}, {event.done} of {event.total}"

    try:
        if viewer.relabel is None:
            raise SettingsError("nothing may be written.", "E_READ_ONLY")
        with tempfile.TemporaryDirectory(prefix="tile-engine-view-") as folder:
            viewer.relabel(viewer.runs[run].out, level, write_classes(Path(folder), rows), report)
        with saving.lock:
            saving.before = _choice(viewer, run)
    except TileEngineError as error:
        return f"{error.message} [{error.code}]"
    except Exception:
        log.exception("saving the names of clusters failed")
        return "an error inside of tile-engine: it is in the terminal"
    return ""


def _checked(body: Any) -> tuple[int, dict[int, dict[str, str]]]:
    """(level, cluster -> what was edited of it). What a name and a colour may be is checked by `relabel`."""
    if not isinstance(body, dict) or not isinstance(body.get("level"), int) or not isinstance(body.get("rows"), list):
        raise RequestError("the body is {level, rows}")
    rows = body["rows"]
    if len(rows) > 255 or not all(isinstance(row, dict) for row in rows):
        raise RequestError("rows are at most 255 objects")
    if not all(isinstance(row.get(name, ""), str) for row in rows for name in COLUMNS):
        raise RequestError("cells are texts")
    edits = {_number(row.get("cluster", "")): {name: row[name] for name in COLUMNS[1:] if name in row} for row in rows}
    for edit in edits.values():
        if edit.get("into", "") not in ("", IGNORED):
            _number(edit["into"])
    return body["level"], edits


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 3:
        raise RequestError("a cluster is a number")
    return int(text)
