"""saving: names, colours and merges of clusters that the page sends become a CSV, and `relabel` does with it what it does."""

from __future__ import annotations

import csv
import logging
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import LockedError, SettingsError, TileEngineError
from ..pipeline.progress import Event
from .answers import Answer, RequestError
from .edited import IGNORED, table_of
from .viewer import Viewer

COLUMNS = ("cluster", "name", "colour", "into")
log = logging.getLogger("tile_engine")


@dataclass(slots=True)
class Saving:
    """The work of `relabel` on one run, in a thread."""

    state: str = "idle"
    """idle, running, done or failed."""
    text: str = ""
    """What it is doing, or why it failed."""
    thread: threading.Thread | None = None

    def document(self) -> dict[str, str]:
        return {"state": self.state, "text": self.text}


def start_saving(viewer: Viewer, saving: Saving, run: int, body: Any) -> Answer:
    """Begin to save; the answer comes at once, and `saving` tells how it goes.

    Raises SettingsError (E_READ_ONLY) where nothing may be written, LockedError while another saving runs, RequestError for
    what is no table of clusters.
    """
    if viewer.relabel is None:
        raise SettingsError("the viewer was started with --read-only: nothing is saved.", "E_READ_ONLY")
    out, tree = viewer.job(run).folder.out, viewer.tree(run)
    if tree is None:
        raise SettingsError("this run has no clusters to name.", "E_NO_CLUSTERS")
    level, edits = _checked(body)
    if level not in tree.levels or not edits.keys() <= set(tree.levels[level].numbers):
        raise RequestError("level is a level of the tree, and the clusters are those of this level")
    rows = table_of(tree, level, edits)
    if not viewer.busy.acquire(blocking=False):
        raise LockedError("names are being saved already: wait until that is done.")
    saving.state, saving.text = "running", "begins"
    saving.thread = threading.Thread(target=_save, args=(viewer, saving, out, level, rows), name="saving")
    saving.thread.start()
    return Answer.of(saving.document(), 202)


def _save(viewer: Viewer, saving: Saving, out: Path, level: int, rows: list[dict[str, str]]) -> None:
    def report(event: Event) -> None:
        saving.text = event.text or event.stage

    try:
        if viewer.relabel is None:
            raise SettingsError("nothing may be written.", "E_READ_ONLY")
        with tempfile.TemporaryDirectory(prefix="tile-engine-view-") as folder:
            path = Path(folder) / "clusters.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
            viewer.relabel(out, level, path, report)
        end = "done", ""
    except TileEngineError as error:
        end = "failed", f"{error.message} [{error.code}]"
    except Exception:
        log.exception("saving the names of clusters failed")
        end = "failed", "an error inside of tile-engine: it is in the terminal"
    viewer.forget()
    viewer.busy.release()
    saving.text, saving.state = end[1], end[0]  # last: who sees the end may save again at once


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
