"""load: the job of an output folder, read once per change of its documents."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ...errors import CorruptError, SettingsError
from ...stores.folder import Folder
from ...stores.frame import Box
from ...stores.slides.guarded import Piece
from ..pipeline.job import Job
from ..pipeline.record import ImageRecord, record_of
from ..pipeline.settings import RunSettings
from ..runs import recorded


def load(out: Path) -> Job[RunSettings]:
    """The job of a folder, read once per change of its documents. Raises SettingsError where OUT holds no run."""
    stamp = tuple(_stamp(out / name) for name in ("run.json", "slides.json", "rejected.json", "quarantined.json"))
    return _load(out, stamp)


@lru_cache(maxsize=4)
def _load(out: Path, stamp: tuple[int, ...]) -> Job[RunSettings]:
    run = Folder(out).read("run")
    if "settings" not in run:
        raise SettingsError(f"{out} holds no run: there is no run.json in it.", "E_NO_RUN")
    found = recorded(run.get("command"), run.get("variant"))
    folder = Folder(out, found.modality.name)
    if not (out / "slides.json").exists():  # it is written before run.json
        raise CorruptError(f"{out / 'slides.json'} is missing: it was written and then lost.")
    rejected = folder.read("rejected")
    records = {s: r for s, r in _records(out, _stamp(out / "slides.json")).items() if s not in rejected}
    settings = found.variant.settings.model_validate(run["settings"])
    lethal = {s: tuple(map(piece_of, tiles)) for s, tiles in folder.read("quarantined").items()}
    return Job(folder, settings, run["spacing"], records, dict(run["fingerprints"]), found, lethal)


def piece_of(raw: dict[str, Any]) -> Piece:
    return raw["level"], Box(tuple(raw["start"]), tuple(raw["stop"]))


@lru_cache(maxsize=1)
def _records(out: Path, stamp: int) -> dict[str, ImageRecord]:
    """Kept apart from the rest of the job: run.json changes with every step, and 10^5 slides take 2 s and 130 MiB."""
    return {s: record_of(raw) for s, raw in Folder(out).read("slides").items()}


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
