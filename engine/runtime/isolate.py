"""isolate: executes one unit in its own process and reads the slide tile by tile, to find the tiles that crash the reader.

```text
worker:  start child -> "reading level 0, tile (3, 7)" -> silence: the child died, or the tile takes too long
         start child, and the same tile again           -> dead again: this tile crashes the reader, so it is masked
         start child, that tile masked                  -> done: the unit's receipt, and the crashing tiles for the run
```
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import TileEngineError
from ...stores.frame import Box
from ...stores.remote import to_path
from ...stores.slides.guarded import Piece, watched
from ..pipeline.unit import Unit
from ..workers.child import Child, GoneError, Say
from .load import load
from .perform import Summary, perform_of

MAX_CRASHING_TILES = 64
"""Crashing tiles of one unit, at most; beyond that the whole slide is rejected."""
TILE_LIMIT = 60.0
"""Time limit for decoding one tile of a slide, in seconds."""


@dataclass(frozen=True, slots=True)
class _Death:
    """The end of a child process: the tile it was reading (None if it was not reading), and the reason code."""

    piece: Piece | None
    code: str


def in_isolation(out: Path, limit: float, unit: Unit) -> Summary:
    """Execute a unit that killed its workers in child processes; the summary lists the tiles that crash the reader.

    `limit`: seconds between two messages of the child; a tile has TILE_LIMIT at most. If no single tile is the cause, or more
    than MAX_CRASHING_TILES are, the summary rejects the slide (E_CRASHES_READER, E_TIMEOUT).
    """
    known_pieces = list(load(out).crashing.get(unit.slide, ()))
    found: list[Piece] = []
    deaths: Counter[Piece | None] = Counter()
    while True:
        end = _attempt(out, unit, [*known_pieces, *found], limit)
        if isinstance(end, Summary):
            return replace(end, crashing=tuple((level, box.start, box.stop) for level, box in found))
        deaths[end.piece] += 1
        if deaths[end.piece] < 2:  # one death may be chance: another process may have killed the child
            continue
        if end.piece is not None and len(found) < MAX_CRASHING_TILES:
            found.append(end.piece)
            continue
        what = "exceeds its time limit" if end.code == "E_TIMEOUT" else "crashes the process that executes it"
        cause = f"{len(found) + 1} of its tiles do" if found else "no single tile is the cause, so memory may be short"
        text = (
            f"step {unit.step!r} of {unit.name} {what} ({cause}). Convert the slide with another tool, or leave it out."
        )
        return Summary(unit, rejected=(end.code, text), detail=text)


def _attempt(out: Path, unit: Unit, crashing: list[Piece], limit: float) -> Summary | _Death:
    reading: Piece | None = None
    request = {"out": str(out), "unit": asdict(unit), "crashing": [_plain(piece) for piece in crashing]}
    with Child(unit_in_child, request, alone=True) as child:
        while True:
            try:
                word, value = child.hear(limit if reading is None else min(limit, TILE_LIMIT))
            except GoneError as fate:
                return _Death(reading, fate.code)
            if word == "reading":
                reading = _piece(value)
            elif word == "read":
                reading = None
            elif word == "error":
                raise _error(*value)
            else:
                texts = {name: tuple(value[name]) for name in ("notices", "notes")}
                texts |= {"left_out": tuple(map(tuple, value["left_out"]))}
                rejected = value["rejected"] and tuple(value["rejected"])
                return Summary(**{**value, "unit": unit, "rejected": rejected, **texts})


def unit_in_child(request: dict[str, Any], say: Say) -> None:
    """Entry point of the child process: executes the unit, and reports each tile before and after it is read."""
    unit = Unit(**{**request["unit"], "start": tuple(request["unit"]["start"])})
    try:
        job = load(to_path(request["out"]))
        job = replace(job, crashing={**job.crashing, unit.slide: tuple(map(_piece, request["crashing"]))})
        with watched(lambda piece, done: say("read" if done else "reading", _plain(piece))):
            summary = perform_of(job, unit)
    except TileEngineError as error:
        say("error", [type(error).__module__, type(error).__qualname__, error.message, error.code])
    else:
        say("done", {k: v for k, v in asdict(summary).items() if k != "unit"})


def _error(module: str, name: str, message: str, code: str) -> TileEngineError:
    """The child's error, rebuilt with its own class, which determines the exit status."""
    found = getattr(import_module(module), name)
    if not (isinstance(found, type) and issubclass(found, TileEngineError)):
        raise TypeError(f"the child raised {module}.{name}, which is no TileEngineError: {message}")
    return found(message, code)


def _plain(piece: Piece) -> list[Any]:
    level, box = piece
    return [level, list(box.start), list(box.stop)]


def _piece(raw: list[Any]) -> Piece:
    return raw[0], Box(tuple(raw[1]), tuple(raw[2]))
