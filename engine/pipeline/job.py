"""Job: what any worker needs to know of a run to do one of its units, read back from OUT. Units carry names, not arrays."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from ...stores import cache
from ...stores.folder import Folder
from ...stores.image import OURS, StoredImage, attributes_of
from ...stores.remote import place
from ...stores.scaled import Scaled
from ...stores.slides.guarded import Piece, guarded
from ...stores.slides.reader import Slide, open_slide
from ...stores.slides.view import at_spacing
from ...stores.source import Source
from .record import SlideRecord, digest


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


def _open(path: str, mpp: float | None, fingerprint: str) -> Slide:
    return (_open_cached if cache.wanted(place(path)) else _open_here)(path, mpp, fingerprint)


@lru_cache(maxsize=8)
def _open_here(path: str, mpp: float | None, fingerprint: str) -> Slide:
    """Few handles stay open in a process: slides come in order, and each costs memory."""
    return open_slide(place(path), mpp)


@lru_cache(maxsize=1)
def _open_volume(path: str, part: str, fingerprint: str) -> Source:
    """One at a time: what is compressed stays in memory while it is open."""
    from ...stores.volumes.reader import open_volume

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
