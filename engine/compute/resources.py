"""Resources: what a process holds open between units: slides, volumes, masks, networks. One owner, closed in one place."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ...errors import SlideError
from ...stores import cache
from ...stores.remote import to_path
from ...stores.slides.file_marks import fingerprint
from ...stores.slides.guarded import guarded
from ...stores.slides.level_check import recorded_levels
from ...stores.slides.reader import Slide, open_slide
from ..pipeline.job import Job
from ..pipeline.section_file import SectionFile
from .spare_memory import SpareMemory

if TYPE_CHECKING:
    from ...stores.volumes.reader import Volume
    from ...stores.warps.warp import Warp

V = TypeVar("V")


class Bounded:
    """The values that were used last, at most `limit`, each made once for its key; safe for threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key; `make` makes it where it is not held.

        >>> held = Bounded(1)
        >>> held.get("a", lambda: 1), held.get("a", lambda: 2), held.get("b", lambda: 3), held.get("a", lambda: 4)
        (1, 1, 3, 4)
        """
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            else:
                while len(self._held) >= self.limit:  # first: the new one may need the room
                    self._held.popitem(last=False)
                self._held[key] = make()
            return cast(V, self._held[key])

    def clear(self) -> None:
        with self._lock:
            self._held.clear()


class Resources:
    """Open files, masks and networks of a process, a bounded number of each."""

    def __init__(self) -> None:
        self.slides = Bounded(8)
        """Few handles: slides come in order, and each costs memory."""
        self.copies = Bounded(1)
        """Slides that are read from copies; a copy that a process holds open cannot be removed to make room."""
        self.volumes = Bounded(1)
        """One at a time: a compressed volume stays in memory while it is open."""
        self.warps = Bounded(16)
        self.masks = Bounded(4)
        self.stains = Bounded(16)
        """Stain profiles: small, and costly to make."""
        self.templates = Bounded(2)
        """Volumes that others are aligned to."""
        self.networks = Bounded(2)
        self.streams = Bounded(1)
        """Networks on this process's GPU."""
        self.memory = SpareMemory()
        """Memory of a unit's pixels."""
        self.begun: deque[tuple[Hashable, Any]] = deque()
        """The unit that is next, with its key, while its pixels are read."""

    def slide(self, job: Job[Any], image: str) -> Slide:
        """A slide of a run, open; its quarantined tiles are masked."""
        record = job.slides[image]
        path = to_path(record.path)
        held = self.copies if cache.is_copied(path) else self.slides
        key = (record.path, record.mpp, record.subimage, record.fingerprint)
        check = recorded_levels(record.reader, record.levels, record.native_shape)
        slide = held.get(key, lambda: open_slide(path, record.mpp, record.subimage, check))
        return cast(Slide, guarded(slide, job.crashing.get(image, ())))

    def section(self, job: Job[Any], image: str, section: SectionFile) -> Slide:
        """A section of a block, open; the block's quarantined tiles are masked in each of its sections.

        Raises SlideError (E_CHANGED) for a file that is not as it was when the run began.
        """
        path = to_path(section.path)
        held = self.copies if cache.is_copied(path) else self.slides
        key = (section.path, section.mpp, section.part, section.fingerprint)
        check = recorded_levels(section.reader, section.levels, section.native_shape)

        def open_section() -> Slide:
            if fingerprint(path) != section.fingerprint:
                raise SlideError(
                    f"{section.name}: the file was changed after the run had begun. Run again with --redo.", "E_CHANGED"
                )
            return open_slide(path, section.mpp, section.part, check)

        return cast(Slide, guarded(held.get(key, open_section), job.crashing.get(image, ())))

    def warp(self, job: Job[Any], image: str, section: SectionFile) -> Warp | None:
        """The warp that a moving section of a block is read through; None where its registration was rejected."""
        from ...stores.warps.stored import accepted, read_warp

        path = job.folder.transform(image, section.id)
        try:
            stamp = (path / "zarr.json").stat().st_mtime_ns
        except FileNotFoundError:
            stamp = 0
        return self.warps.get((path, stamp), lambda: read_warp(path) if accepted(path) else None)

    def volume(self, job: Job[Any], image: str) -> Volume:
        """A volume of a run, open, in canonical orientation."""
        from ...stores.volumes.reader import open_volume

        record = job.slides[image]
        key = (record.path, record.subimage, record.fingerprint)
        return self.volumes.get(key, lambda: open_volume(to_path(record.path), record.subimage))

    def close(self) -> None:
        """Release everything; a file that is still being read is closed with its last reader."""
        for held in vars(self).values():
            held.clear()


_process = Resources()


def resources() -> Resources:
    """The resources of this process."""
    return _process


def leave_resources() -> None:
    """Start with new resources. The old ones are not closed: a thread that never ends may hold them, and their locks."""
    global _process
    _process = Resources()


@contextmanager
def closed_resources() -> Iterator[None]:
    """Context whose end releases the resources that this process has then."""
    try:
        yield
    finally:
        _process.close()
