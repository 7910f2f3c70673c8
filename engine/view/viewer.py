"""Viewer: what a page shows of a folder of results: its runs, and what was opened of them, kept within a bound of memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import SettingsError
from ...stores.folder import Folder
from ...stores.ours import check_links
from ...stores.remote import ObjectPath, absolute
from ..pipeline.documents import find_stain_runs, read_run
from ..pipeline.job import Job
from ..pipeline.progress import Event
from ..runtime.load import load
from ..runtime.stain_folders import begun_jobs
from .deep import Deep
from .grid import Grid, grid_of
from .held import Held
from .levels import Tree, tree_of
from .viewed import OverlayRef, PictureRef, overlays_of, pictures_of, source_of

MEMORY = 1 << 28
"""Bytes of grids and of encoded tiles that are kept, at most, each."""

MAX_OPEN = 16
"""Pictures whose files are open, at most."""

Relabel = Callable[[Path, int, Path, Callable[[Event], None]], object]
"""(folder of a run, level, CSV of classes, report): shows another level or other names, as the command `relabel` does."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A run of the folder."""

    name: str
    """The stain of a run for each stain; else the folder's name."""
    out: Path


@dataclass(eq=False)
class Viewer:
    """Runs by their number, images by their number in a run: addresses of the page name nothing else."""

    out: Path
    runs: tuple[Shown, ...]
    relabel: Relabel | None = None
    """None where nothing may be written."""
    grids: Held = field(default_factory=lambda: Held(MEMORY))
    tiles: Held = field(default_factory=lambda: Held(MEMORY))
    deeps: Held = field(default_factory=lambda: Held(MAX_OPEN))
    """Counted one by one."""
    busy: threading.Lock = field(default_factory=threading.Lock)
    """Held while names are saved: one run at a time."""
    pending: dict[int, Tree] = field(default_factory=dict)
    """Run -> its tree as it will be when names are saved: it is shown already."""

    @property
    def read_only(self) -> bool:
        return self.relabel is None

    def job(self, run: int) -> Job[Any]:
        """Raises LookupError for a number that no run has."""
        return load(self.runs[_within(run, len(self.runs))].out)

    def image(self, run: int, number: int) -> str:
        """Id of an image. Raises LookupError for a number that no image has."""
        ids = list(self.job(run).slides)
        return ids[_within(number, len(ids))]

    def tree(self, run: int) -> Tree | None:
        if pending := self.pending.get(run):
            return pending
        key = "tree", run, self.stamp(run)
        return self.grids.get(key, lambda: tree_of(self.job(run)), lambda tree: 1 << 16)

    def pictures(self, run: int, image: int) -> list[PictureRef]:
        job, name = self.job(run), self.image(run, image)
        return self.grids.get(
            ("pictures", run, image, self.stamp(run)), lambda: pictures_of(job, name), lambda refs: 1 << 10
        )

    def overlays(self, run: int, image: int) -> list[OverlayRef]:
        job, name = self.job(run), self.image(run, image)
        return self.grids.get(
            ("overlays", run, image, self.stamp(run)), lambda: overlays_of(job, name), lambda refs: 1 << 10
        )

    def deep(self, run: int, image: int, picture: int) -> Deep:
        """A picture. Raises SlideError where the file that holds its pixels is gone."""
        pictures = self.pictures(run, image)
        chosen = pictures[_within(picture, len(pictures))]
        job, name = self.job(run), self.image(run, image)
        return self.deeps.get(
            (run, image, picture, self.stamp(run)),
            lambda: Deep.of(source_of(job, name, chosen), chosen.first),
            lambda deep: 1,
        )

    def grid(self, run: int, image: int, overlay: int) -> Grid:
        overlays = self.overlays(run, image)
        chosen = overlays[_within(overlay, len(overlays))]
        key = "grid", run, image, overlay, self.stamp(run)
        return self.grids.get(key, lambda: grid_of(chosen), lambda grid: grid.nbytes)

    def stamp(self, run: int) -> int:
        """Changes when the run does: part of the key of all that is held of it."""
        return (self.runs[run].out / "run.json").stat().st_mtime_ns

    def forget(self) -> None:
        """Let go of all that was opened: the run has changed."""
        self.grids.clear()
        self.tiles.clear()
        self.deeps.clear()


def open_viewer(out: str | Path, relabel: Relabel | None = None) -> Viewer:
    """The viewer of a folder: of its run, or of the run for each stain.

    Raises SettingsError (E_NO_RUN) where it holds none, and (E_FOREIGN) for a link in the folders that a run writes.
    """
    folder = absolute(out)
    if isinstance(folder, ObjectPath):
        raise SettingsError(
            f"{out} is in an object store, and the viewer shows folders of this machine: copy it here first."
        )
    check_links(folder)
    stains = find_stain_runs(Folder(folder))
    if stains is None:
        read_run(Folder(folder))
        return Viewer(folder, (Shown(folder.name, folder),), relabel)
    begun = begun_jobs(folder, stains)
    runs = tuple(Shown(run.name, folder / run.folder) for run in stains.runs if run.folder in begun)
    for run in runs:
        check_links(run.out)
    if not runs:
        raise SettingsError(f"{folder} holds no run that has begun: run the same command again.", "E_NO_RUN")
    return Viewer(folder, runs, relabel)


def _within(number: int, count: int) -> int:
    if not 0 <= number < count:
        raise LookupError(f"{number} is not below {count}")
    return number
