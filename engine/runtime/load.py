"""load: reads the job of an output folder, cached until its documents change."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ...errors import CorruptError
from ...stores.folder import Folder
from ..pipeline.documents import read_run
from ..pipeline.image_documents import read_images, read_quarantined, read_rejected
from ..pipeline.job import Job
from ..pipeline.record import ImageRecord
from ..pipeline.settings import RunSettings, settings_of
from ..runs import recorded


def load(out: Path) -> Job[RunSettings]:
    """The job of a folder, cached until its documents change. Raises SettingsError where OUT holds no run."""
    stamp = tuple(_stamp(out / name) for name in ("run.json", "slides.json", "rejected.json", "quarantined.json"))
    return _load(out, stamp)


@lru_cache(maxsize=4)
def _load(out: Path, stamp: tuple[int, ...]) -> Job[RunSettings]:
    run = read_run(Folder(out))
    found = recorded(run.command, run.variant)
    folder = Folder(out, found.modality.name)
    if not (out / "slides.json").exists():  # it is written before run.json
        raise CorruptError(f"{out / 'slides.json'} is missing: it was written and then lost.")
    rejected = read_rejected(folder)
    opened = _records(out, _stamp(out / "slides.json"))
    records = {s: r for s, r in opened.items() if s not in rejected}
    rejecting = {s: r.step for s, r in rejected.items() if s in opened}
    settings = settings_of(run.settings, found.variant.settings)
    crashing = {s: tuple(tile.piece for tile in tiles) for s, tiles in read_quarantined(folder).items()}
    return Job(folder, settings, run.spacing, records, run.fingerprints, found, crashing, opened, rejecting)


@lru_cache(maxsize=1)
def _records(out: Path, stamp: int) -> dict[str, ImageRecord]:
    """The image records, cached apart from the job: run.json changes at every step, and 10^5 slides take 2 s and 130 MiB."""
    return read_images(Folder(out))


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
