"""careful: one unit in a process of its own, the slide read tile by tile, so that what kills it is known to the tile.

```text
worker:  start child -> "reading level 0, tile (3, 7)" -> silence: the child died, or the tile takes too long
         start child, and the same tile again           -> dead again: this tile is lethal, from now on it is masked
         start child, that tile masked                  -> done: the unit's receipt, and the lethal tiles for the run
```
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from .. import errors
from ..stores.frame import Box
from ..stores.slides.guarded import Piece, watched
from .job import Unit, load
from .perform import Summary, perform_of

MOST = 64
"""Lethal tiles of one unit, beyond which the whole slide is given up."""
TILE_LIMIT = 60.0
"""Seconds for one tile of a slide."""


@dataclass(frozen=True, slots=True)
class _Death:
    """How a child ended: while it read `piece`, or None where it was not reading."""

    piece: Piece | None
    code: str


def carefully(out: Path, limit: float, unit: Unit) -> Summary:
    """Do a unit that ended its workers, in children of this process; lethal tiles come back with the summary.

    `limit`: seconds for the whole unit; a tile is given a minute of them at most. A unit that dies for other reasons than a
    tile, or of too many, comes back as a rejection of its slide (E_CRASHES_READER, E_TIMEOUT).
    """
    known = list(load(out).lethal.get(unit.slide, ()))
    found: list[Piece] = []
    deaths: Counter[Piece | None] = Counter()
    while True:
        end = _child(out, unit, [*known, *found], limit)
        if isinstance(end, Summary):
            return replace(end, lethal=tuple((level, box.start, box.stop) for level, box in found))
        deaths[end.piece] += 1
        if deaths[end.piece] < 2:  # once may be chance: somebody else may have ended that process
            continue
        if end.piece is not None and len(found) < MOST:
            found.append(end.piece)
            continue
        what = "takes longer than it may" if end.code == "E_TIMEOUT" else "ends the process that does it"
        where = f"{len(found) + 1} tiles of it do" if found else "no single tile of it does, so it may need more memory"
        text = (
            f"step {unit.step!r} of {unit.name} {what} ({where}): convert the slide with another tool, or leave it out."
        )
        return Summary(unit, rejected=(end.code, text), detail=text)


def _child(out: Path, unit: Unit, lethal: list[Piece], limit: float) -> Summary | _Death:
    request = {"out": str(out), "unit": asdict(unit), "lethal": [_plain(piece) for piece in lethal]}
    child = subprocess.Popen(
        [sys.executable, "-m", "tile_engine.engine.careful"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(json.dumps(request))
    child.stdin.close()
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(child.stdout, lines), daemon=True).start()
    reading: Piece | None = None
    try:
        while True:
            try:
                line = lines.get(timeout=limit if reading is None else min(limit, TILE_LIMIT))
            except queue.Empty:
                return _Death(reading, "E_TIMEOUT")
            if not line:
                return _Death(reading, "E_CRASHES_READER")
            word, value = json.loads(line)
            if word == "reading":
                reading = _piece(value)
            elif word == "read":
                reading = None
            elif word == "error":
                raise getattr(errors, value[0], errors.TileEngineError)(*value[1:])
            else:
                return Summary(**{**value, "unit": unit, "rejected": value["rejected"] and tuple(value["rejected"])})
    finally:
        child.kill()
        child.wait()


def _listen(stream: IO[str], lines: queue.SimpleQueue[str]) -> None:
    """Hand on line after line; the empty one at the end says that the process is gone."""
    with stream:
        for line in stream:
            lines.put(line)
    lines.put("")


def main() -> None:
    """The child: does the unit that stdin asks for, and says on stdout what it is about to touch."""
    request = json.load(sys.stdin)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    out, unit = Path(request["out"]), _unit(request["unit"])
    with _private_stdout() as say:

        def watch(piece: Piece, done: bool) -> None:
            say("read" if done else "reading", _plain(piece))

        job = load(out)
        job = replace(job, lethal={**job.lethal, unit.slide: tuple(map(_piece, request["lethal"]))})
        try:
            with watched(watch):
                summary = perform_of(job, unit)
        except errors.TileEngineError as error:
            say("error", [type(error).__name__, error.message, error.code])
        else:
            say("done", {k: v for k, v in asdict(summary).items() if k != "unit"})


def _end_with(parent: int) -> None:
    """A child whose worker was killed must not stay behind in a tile that never ends."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


@contextmanager
def _private_stdout() -> Iterator[Any]:
    """What libraries print goes to stderr; the real stdout is for the parent alone."""
    with os.fdopen(os.dup(1), "w") as stream:
        os.dup2(2, 1)

        def say(word: str, value: Any) -> None:
            stream.write(json.dumps([word, value]) + "\n")
            stream.flush()

        yield say


def _plain(piece: Piece) -> list[Any]:
    level, box = piece
    return [level, list(box.start), list(box.stop)]


def _piece(raw: list[Any]) -> Piece:
    return raw[0], Box(tuple(raw[1]), tuple(raw[2]))


def _unit(raw: dict[str, Any]) -> Unit:
    return Unit(**{**raw, "start": tuple(raw["start"])})


if __name__ == "__main__":
    main()
