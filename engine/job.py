"""Job: what any worker needs to know of a run to do one of its units, read back from OUT. Units carry names, not arrays."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from ..errors import CorruptError, SettingsError
from ..stores import cache
from ..stores.folder import Folder
from ..stores.frame import Box, Frame
from ..stores.image import OURS, StoredImage, attributes_of
from ..stores.remote import place
from ..stores.scaled import Scaled
from ..stores.slides.guarded import Piece, guarded
from ..stores.slides.reader import Slide, open_slide
from ..stores.slides.view import at_spacing
from ..stores.source import Source
from .run import Outcome
from .settings import SETTINGS

if TYPE_CHECKING:
    from ..models.share import Share

AXES = ("z", "y", "x")
"""Of a volume; a slide has the last two."""


@dataclass(frozen=True, slots=True)
class SlideRecord:
    """One accepted slide of a run, as slides.json keeps it; or a volume, which has an axis z before y and x."""

    id: str
    name: str
    """Path relative to the input folder."""
    path: str
    fingerprint: str
    """Of the file: its size, time and ends."""
    mpp: float | None
    """What the user stated, if anything."""
    group: str
    site: str
    extra: dict[str, str]
    reader: str
    finest: float
    """Micrometres a pixel of the slide's level 0."""
    full: tuple[int, ...]
    """Pixels (y, x) of the slide's level 0."""
    channels: int
    dtype: str
    background: int
    shape: tuple[int, ...]
    """Pixels (y, x) at the run's spacing."""
    spacing: tuple[float, ...]
    """Micrometres a pixel (y, x) that the run works at on this slide."""
    origin: tuple[float, ...] = (0.0, 0.0)
    """Micrometres of the first pixel's lower edges."""
    notes: tuple[str, ...] = ()
    part: str = ""
    """What is meant inside the file, where it holds several images."""

    @property
    def key(self) -> str:
        """Fingerprint of what of this slide decides any result."""
        return digest(
            self.id, self.fingerprint, self.mpp, self.spacing, self.shape, *([self.part] if self.part else [])
        )

    @property
    def told(self) -> str:
        """Fingerprint of what the user said of this slide beyond its pixels: it decides sampling and tables."""
        return digest(self.group, self.site, self.extra)

    @property
    def frame(self) -> Frame:
        return Frame(AXES[-len(self.shape) :], self.shape, self.spacing, self.origin)


@dataclass(frozen=True, slots=True)
class Unit:
    """What one task does: a few names that any worker can turn into work."""

    step: str
    """Which step of the run (see `Step`)."""
    name: str
    """Of its receipt; begins with the slide's id where the unit belongs to one."""
    slide: str = ""
    start: tuple[int, ...] = ()
    """First cell of its box, where it has one."""


@dataclass(frozen=True, slots=True)
class Job:
    """A run as its workers see it."""

    folder: Folder
    settings: Any
    """As `SETTINGS` has them for its kind."""
    spacing: float
    """Micrometres a pixel that the run aims at; a slide's own differs by 5 % at most."""
    slides: dict[str, SlideRecord]
    """Those that the run can use."""
    fingerprints: dict[str, str]
    lethal: dict[str, tuple[Piece, ...]] = field(default_factory=dict)
    """Slide -> tiles that end the process that decodes them: they are masked."""
    command: str = "cluster"
    """What the run is for; with what it is on (`folder.images`) it decides the steps (see `engine.stages.Kind`)."""

    @property
    def pixels(self) -> str:
        """Which pixels the stores keep; of volumes, all."""
        return getattr(self.settings, "pixels", "all")

    def ledger_key(self, step: str, slide: str = "") -> str:
        """The fingerprint that a unit's receipt must carry."""
        base = self.fingerprints[step]
        if not slide:
            return base
        record = self.slides[slide]
        return digest(base, record.key)

    def slide(self, slide: str) -> Slide:
        record = self.slides[slide]
        opened = _open(record.path, record.mpp, record.fingerprint)
        return cast(Slide, guarded(opened, self.lethal.get(slide, ())))

    def volume(self, volume: str) -> Source:
        """The volume itself, in canonical orientation."""
        record = self.slides[volume]
        return _open_volume(record.path, record.part, record.fingerprint)

    def view(self, slide: str) -> Source:
        """The slide itself, seen at the run's spacing; a volume as it is."""
        if self.folder.images == "volumes":
            return self.volume(slide)
        return at_spacing(self.slide(slide), self.spacing)

    def image(self, slide: str) -> Source:
        """The slide at the run's spacing: from its store, or from the slide itself where the store keeps no pixels. A volume
        in the range that networks see."""
        if self.pixels == "none":
            return self.view(slide)
        stored = self.stored(slide)
        if self.folder.images == "volumes":
            return Scaled(stored, attributes_of(stored.path)[OURS]["ranges"])
        return stored

    def stored(self, slide: str) -> StoredImage:
        return StoredImage.open(self.folder.slide(slide))


class Step(Protocol):
    """One pass over a run's units; all of a step's units are done before the next step begins."""

    @property
    def name(self) -> str: ...

    @property
    def fields(self) -> tuple[str, ...]:
        """The settings that decide what it leaves, beyond those of the steps before it."""
        ...

    def units(self, job: Job) -> Iterator[Unit]: ...

    def execute(self, job: Job, unit: Unit) -> Outcome: ...


@runtime_checkable
class Shared(Protocol):
    """A step whose unit several workers can do together, one rank each."""

    def ranks(self, job: Job) -> int: ...

    def take_part(self, job: Job, unit: Unit, share: Share) -> Outcome:
        """A rank's part of the unit; the first rank's outcome is the unit's."""
        ...


def load(out: Path) -> Job:
    """The job of a folder, read once per change of its documents. Raises SettingsError where OUT holds no run."""
    stamp = tuple(_stamp(out / name) for name in ("run.json", "slides.json", "rejected.json", "quarantined.json"))
    return _load(out, stamp)


def digest(*parts: Any) -> str:
    """A short fingerprint of JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=list).encode()).hexdigest()[:16]


@lru_cache(maxsize=4)
def _load(out: Path, stamp: tuple[int, ...]) -> Job:
    run = Folder(out).read("run")
    if "settings" not in run:
        raise SettingsError(f"{out} holds no run: there is no run.json in it.", "E_NO_RUN")
    folder, command = Folder(out, run.get("images", "slides")), run["command"]
    if not (out / "slides.json").exists():  # it is written before run.json
        raise CorruptError(f"{out / 'slides.json'} is missing: it was written and then lost.")
    rejected = folder.read("rejected")
    records = {s: r for s, r in _records(out, _stamp(out / "slides.json")).items() if s not in rejected}
    settings = SETTINGS[command, folder.images].model_validate(run["settings"])
    lethal = {s: tuple(map(piece_of, tiles)) for s, tiles in folder.read("quarantined").items()}
    return Job(folder, settings, run["spacing"], records, dict(run["fingerprints"]), lethal, command)


def piece_of(raw: dict[str, Any]) -> Piece:
    return raw["level"], Box(tuple(raw["start"]), tuple(raw["stop"]))


@lru_cache(maxsize=1)
def _records(out: Path, stamp: int) -> dict[str, SlideRecord]:
    """Kept apart from the rest of the job: run.json changes with every step, and 10^5 slides take 2 s and 130 MiB."""
    return {s: record_of(raw) for s, raw in Folder(out).read("slides").items()}


def record_of(raw: dict[str, Any]) -> SlideRecord:
    """A slide of slides.json. Raises CorruptError where it is none."""
    try:
        tuples = {k: tuple(raw[k]) for k in ("full", "shape", "spacing", "origin", "notes")}
        return SlideRecord(**{**raw, **tuples})
    except (KeyError, TypeError) as error:
        raise CorruptError(f"slides.json is not what was written there ({error}).") from error


def _open(path: str, mpp: float | None, fingerprint: str) -> Slide:
    return (_open_cached if cache.wanted(place(path)) else _open_here)(path, mpp, fingerprint)


@lru_cache(maxsize=8)
def _open_here(path: str, mpp: float | None, fingerprint: str) -> Slide:
    """Few handles stay open in a process: slides come in order, and each costs memory."""
    return open_slide(place(path), mpp)


@lru_cache(maxsize=1)
def _open_volume(path: str, part: str, fingerprint: str) -> Source:
    """One at a time: what is compressed stays in memory while it is open."""
    from ..stores.volumes.reader import open_volume

    return open_volume(place(path), part)


def _open_cached(path: str, mpp: float | None, fingerprint: str) -> Slide:
    """Of copies only the last stays open: what a process holds, nobody can remove to make room."""
    with _one_at_a_time:
        if (path, mpp, fingerprint) not in _last:
            _last.clear()
            _last[path, mpp, fingerprint] = open_slide(place(path), mpp)
        return _last[path, mpp, fingerprint]


_last: dict[tuple[str, float | None, str], Slide] = {}
_one_at_a_time = threading.Lock()


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
