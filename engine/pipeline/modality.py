"""Modality: a kind of images as a value: how its images are found, opened, chunked and named.

The values are defined in `engine.images.modality`. Every difference between modalities is a field of these values, so that
no other module branches on the modality.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...stores.frame import Array, Box, Frame
from .unit import AnyJob

if TYPE_CHECKING:
    from ...stores.image import StoredImage
    from ...stores.slides.cohort import Cohort
    from ...stores.source import Source
    from ...stores.warps.warped import Gapped
    from .command import Input
    from .record import InspectedCohort

Images = str | Path | Sequence[str | Path]
"""A folder, a glob, a file, a list (CSV, TSV, XLSX), or several of these."""


SLIDE_CHUNK = 256
"""Side of a slide's chunk, in pixels."""
VOLUME_CHUNK = 64
"""Side of a volume's chunk, in voxels."""
FILMS_PER_CHUNK = 16
MAX_BATCH, MAX_BATCH_BYTES = 256, 1 << 26
"""Films of a batch, and bytes of the prepared ones, at most."""


def films_in_batch(side: int) -> int:
    """Films of `side` pixels that are one image of a run, one unit and one shard: whole chunks.

    >>> films_in_batch(100), films_in_batch(1024)
    (256, 64)
    """
    return min(MAX_BATCH, max(FILMS_PER_CHUNK, MAX_BATCH_BYTES // side**2 // FILMS_PER_CHUNK * FILMS_PER_CHUNK))


@dataclass(frozen=True, slots=True)
class Cut:
    """Sizes of the blocks, shards and chunks of one modality."""

    shard: tuple[int, ...]
    chunk: tuple[int, ...]
    contained: int
    """Number of levels that one block contains as whole shards."""
    longest: int
    """Largest side of the coarsest level, in cells."""
    labels: tuple[tuple[int, ...], tuple[int, ...]]
    """Shard and chunk shapes of labels."""
    most_cells: int
    """Maximum side of one unit of `apply`, in cells of the tile grid."""
    most_pixels: int
    """Maximum side of one unit of `apply`, in pixels, for any stride."""

    @property
    def block(self) -> tuple[int, ...]:
        return tuple(n << (self.contained - 1) for n in self.shard)

    def cells(self, stride: int) -> int:
        """Side of one unit of `apply`, in cells of the tile grid."""
        return max(1, min(self.most_cells, self.most_pixels // stride))


@dataclass(frozen=True, slots=True)
class Modality:
    """One kind of images: slides, volumes, films or sections."""

    input: Input
    """Its command-line option."""
    noun: str
    """Singular name: slide."""
    cell: str
    """Unit of tile lengths: px or voxels."""
    axes: tuple[str, ...]
    cut: Cut
    find: Callable[[Images, Any], Cohort]
    """(the user's input, settings) -> the files that it refers to."""
    open: Callable[[Cohort, Any], InspectedCohort]
    """(files, settings) -> records of the accepted images, and rejections."""
    read: Callable[[AnyJob, str], Source]
    """(job, id) -> the image's own file, resampled to the run's spacing."""
    levels: Callable[[AnyJob, str], Gapped]
    """(job, id) -> the image's own file with all its levels, a Source that knows what it lacks (`absent`)."""
    absent: Callable[[AnyJob, str, Box], list[Box]]
    """(job, id, box of the run's frame) -> the parts of the box that the image's own file does not hold."""
    covered: Callable[[AnyJob, str, Frame], Array | None]
    """(job, id, coarse frame of the image) -> its cells where every part of the image has pixels, bool; None for all cells."""
    notes: Callable[[AnyJob, str], Mapping[str, Any]]
    """(job, id) -> metadata of the image's own file to keep in the store (JSON values)."""
    scaled: Callable[[StoredImage], Source]
    """Stored image -> the image scaled to the intensity range of networks."""
    views: Callable[[float], Any]
    """Strength of jitter -> random augmentation of patches for training."""
    fills_background: bool
    """Whether the background in a patch is replaced by the tissue beside it, and patches to train on are drawn in a stated mix
    of whole and partial ones."""
    resampled: bool
    """Whether all images of a run are resampled to one spacing."""
    caution: Callable[[InspectedCohort], str]
    """A warning about tiles of unequal physical size in the accepted images; empty where there is none."""
    amount: Callable[[int, float], str]
    """(pixels or voxels of a cohort, spacing of the run) -> their number as text."""
    smaller: str
    """Advice on how to make the stores smaller, for the error about a full disk."""

    @property
    def name(self) -> str:
        """Name of the command-line option and of the folder of the stores: slides, sections."""
        return self.input.name

    @property
    def plural(self) -> str:
        """What several of its images are called: slides, blocks."""
        return f"{self.noun}s"

    def length(self, um: float) -> str:
        """A length of its pixels as people say it: 0.5 µm of slides, 2 mm of volumes."""
        return f"{um / 1000:.4g} mm" if "z" in self.axes else f"{um:.6g} µm"

    @property
    def planar(self) -> bool:
        """Whether images have no axis z."""
        return len(self.axes) == 2
