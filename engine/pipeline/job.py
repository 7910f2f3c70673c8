"""Job: what any worker needs to know of a run to do one of its units, read back from OUT. Units carry names, not arrays."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from ...stores import cache
from ...stores.folder import Folder
from ...stores.image import StoredImage
from ...stores.remote import place
from ...stores.slides.guarded import Piece, guarded
from ...stores.slides.reader import Slide, open_slide
from ...stores.source import Source
from .record import ImageRecord, digest
from .settings import RunSettings

if TYPE_CHECKING:
    from .modality import Modality
    from .spec import Pipeline


S = TypeVar("S", bound=RunSettings, covariant=True)


@dataclass(frozen=True, slots=True)
class Job(Generic[S]):
    """A run as its workers see it."""

    folder: Folder
    settings: S
    """As the pipeline's variant has them."""
    spacing: float
    """Micrometres a pixel that the run aims at; a slide's own differs by 5 % at most."""
    slides: dict[str, ImageRecord]
    """Images that the run can use, by id."""
    fingerprints: dict[str, str]
    pipeline: Pipeline
    lethal: dict[str, tuple[Piece, ...]] = field(default_factory=dict)
    """Image -> tiles that end the process that decodes them: they are masked."""

    @property
    def modality(self) -> Modality:
        return self.pipeline.modality

    @property
    def pixels(self) -> str:
        """Which pixels the stores keep: all, tissue or none; of volumes, all."""
        return self.settings.stored_pixels

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
        return _open_volume(record.path, record.subimage, record.fingerprint)

    def view(self, image: str) -> Source:
        """The image's own file, seen at the spacing that the run works at."""
        return self.modality.read(self, image)

    def image(self, image: str) -> Source:
        """The image at the run's spacing: from its store, or from its own file where the store keeps no pixels."""
        return self.view(image) if self.pixels == "none" else self.modality.scaled(self.stored(image))

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
