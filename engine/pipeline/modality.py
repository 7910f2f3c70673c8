"""Modality: what a run's images are, as a value: how images of a kind are found, opened, cut and named.

The values stand in `engine.images.modality`; what differs between kinds of images stands on them, and in no branch elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...stores.image import StoredImage
    from ...stores.slides.cohort import Cohort
    from ...stores.source import Source
    from .job import Job
    from .record import InspectedCohort

Images = str | Path | Sequence[str | Path]
"""A folder, a glob, a file, a list of files in a CSV, or several of these."""


SLIDE_CHUNK = 256
"""Pixels along a chunk of a slide."""
VOLUME_CHUNK = 64
"""Voxels along a chunk of a volume."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How images of one kind are cut into blocks, shards and chunks."""

    shard: tuple[int, ...]
    chunk: tuple[int, ...]
    contained: int
    """Levels that a block of pixels contains wholly, whole shards each."""
    longest: int
    """Cells along the coarsest level at most."""
    labels: tuple[tuple[int, ...], tuple[int, ...]]
    """Shard and chunk of labels."""
    most_cells: int
    """Cells of the tile grid along one unit of `apply`, at most."""
    most_pixels: int
    """Pixels along one unit of `apply`, at most, whatever the stride."""

    @property
    def block(self) -> tuple[int, ...]:
        return tuple(n << (self.contained - 1) for n in self.shard)

    def cells(self, stride: int) -> int:
        """Cells of the tile grid along one unit of `apply`."""
        return max(1, min(self.most_cells, self.most_pixels // stride))


@dataclass(frozen=True, slots=True)
class Modality:
    """One kind of images."""

    name: str
    """In the plural, as the option and the folder of its stores are called: slides."""
    noun: str
    """One of them: slide."""
    cell: str
    """What lengths of tiles are counted in: px or voxels."""
    axes: tuple[str, ...]
    cut: Cut
    find: Callable[[Images, Any], Cohort]
    """(what the user named, settings) -> the files that are meant."""
    open: Callable[[Cohort, Any], InspectedCohort]
    """(files, settings) -> what was seen of each, and what cannot be used."""
    read: Callable[[Job[Any], str], Source]
    """(job, id) -> the image's own file, at the spacing that the run works at."""
    notes: Callable[[Job[Any], str], Mapping[str, Any]]
    """(job, id) -> what the store keeps of the image's own file beside its pixels (JSON values)."""
    scaled: Callable[[StoredImage], Source]
    """The stored image in the range that networks see."""
    views: Callable[[float], Any]
    """Strength of jitter -> random variants of patches for training."""
    resampled: bool
    """Whether the run works on all of them at one spacing."""
    amount: Callable[[int, float], str]
    """(pixels or voxels of a cohort, spacing of the run) in words."""
    smaller: str
    """What makes the stores smaller, beside another folder."""

    @property
    def planar(self) -> bool:
        """Whether images have no axis z."""
        return len(self.axes) == 2
