"""convert: writes slides and volumes as OME-Zarr, with the whole pyramid and a tissue mask.

Three steps: `overview` (the tissue mask first, where it decides which pixels to keep), `pixels` (blocks of whole shards; the
levels that a block contains are computed while its pixels are in memory), `pyramid` (the remaining levels, the mask and the
metadata). Volumes have the last two steps; their blocks are one shard each, so that memory is bounded at any image size.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ....stores.array import Written
from ....stores.downsample import halve
from ....stores.frame import Array, Box
from ....stores.image import StoredImage
from ....stores.slides.view import pieces_of, read_masked
from ....stores.source import Source
from ...compute.machine import available_threads
from ...pipeline.job import Job
from ...pipeline.modality import SLIDE_CHUNK
from ...pipeline.settings import RunSettings
from ...pipeline.unit import Outcome, Unit
from ...tiling.mask import Mask
from .geometry import image_spec
from .tissue import kept_chunks, masked, preload


def pixel_units(job: Job[RunSettings], step: str) -> Iterator[Unit]:
    if job.pixels == "none":
        return
    block = job.modality.cut.block
    for slide, record in job.slides.items():
        for box in record.frame.box.cut(block):
            at = "-".join(str(a // b) for a, b in zip(box.start, block, strict=True))
            yield Unit(step, f"{slide}/{at}", slide, box.start)


def write_pixels(job: Job[RunSettings], unit: Unit) -> Outcome:
    """Decode one block of the image once, and write it at every level that the block contains."""
    outcome = Outcome()
    record = job.slides[unit.slide]
    spec = image_spec(job, unit.slide)
    image = StoredImage.ensure(job.folder.slide(unit.slide), spec)
    view = job.view(unit.slide)
    cut = job.modality.cut
    block = Box(unit.start, tuple(a + b for a, b in zip(unit.start, cut.block, strict=True))) & record.frame.box
    keep = kept_chunks(job, unit.slide) if job.pixels == "tissue" else None
    coarser = _Buffers(image, block, cut.contained)
    unreadable: list[Box] = []

    def do(box: Box) -> list[tuple[int, Box, Written]]:
        """Write a shard, and those of coarser levels of which it is the last part."""
        with outcome.clock("read"):
            pixels, holes = read_kept(view, box, keep)
            unreadable.extend(holes)
        with outcome.clock("compute"):
            ready = coarser.fill(box, np.ma.getdata(pixels))
        with outcome.clock("write"):
            files = [(0, box, image.write(0, box, pixels))]
            return files + [(level, part, coarser.write(level, part, keep)) for level, part in ready]

    with ThreadPoolExecutor(
        available_threads() + 1
    ) as pool:  # one extra thread, so that no core idles while a shard is written
        pool.submit(preload, len(block.shape))
        written = [file for files in pool.map(do, block.cut(image.shard(0))) for file in files]
    outcome.files += [file for _, _, file in sorted(written, key=lambda one: (one[0], one[1].start))]
    outcome.facts["unreadable"] = sorted([*b.start, *b.stop] for b in unreadable)
    outcome.facts["absent"] = [[*b.start, *b.stop] for b in job.modality.absent(job, unit.slide, block)]
    outcome.facts["tile"] = list(pieces_of(view))
    outcome.facts["pixels"] = block.size
    outcome.facts.update(job.modality.notes(job, unit.slide))
    return outcome


class _Buffers:
    """Buffers of the coarser levels of one block, filled while its finest pixels are in memory, by several threads."""

    def __init__(self, image: StoredImage, block: Box, contained: int) -> None:
        self._image = image
        self._block = block
        self._count = min(contained, len(image.frames))
        self._levels = [
            np.empty((image.channels, *self.box(n).shape), image.dtype) if n else None for n in range(self._count)
        ]
        self._left = {(n, part): part.size for n in range(1, self._count) for part in self.box(n).cut(image.shard(n))}
        self._lock = threading.Lock()

    def box(self, level: int) -> Box:
        return self._block.coarsen((1 << level,) * len(self._block.start))

    def fill(self, box: Box, pixels: Array) -> list[tuple[int, Box]]:
        """Downsample `pixels`, the box `box` of the finest level, into all buffers; returns the shards that are full now."""
        full = []
        for n in range(1, self._count):
            pixels = halve(pixels)
            where = box.coarsen((1 << n,) * len(box.start))
            buffer = self._levels[n]
            if buffer is not None:
                buffer[(slice(None), *where.shift([-a for a in self.box(n).start]).slices)] = pixels
            shard = self._image.shard(n)
            for part in where.cut(shard):
                whole = part.coarsen(shard).refine(shard) & self.box(n)
                with self._lock:
                    self._left[n, whole] -= part.size
                    if not self._left[n, whole]:
                        full.append((n, whole))
        return full

    def write(self, level: int, box: Box, keep: Mask | None) -> Written:
        buffer = self._levels[level]
        values: Array = buffer[(slice(None), *box.shift([-a for a in self.box(level).start]).slices)]  # type: ignore[index]
        return self._image.write(level, box, masked(values, box, keep, 1 << level))


def read_kept(view: Source, box: Box, keep: Mask | None) -> tuple[Any, list[Box]]:
    """The pixels of a box, and the boxes that could not be decoded. With `keep`, chunks outside it are not read but masked."""
    if keep is None:
        return read_masked(view, box)
    pixels = np.full((view.channels, *box.shape), view.background, view.dtype)
    unreadable: list[Box] = []
    for chunk in box.cut((SLIDE_CHUNK, SLIDE_CHUNK)):
        if keep.values[tuple(a // SLIDE_CHUNK for a in chunk.start)]:
            piece, holes = read_masked(view, chunk)
            pixels[(slice(None), *chunk.shift([-a for a in box.start]).slices)] = piece
            unreadable += holes
    return masked(pixels, box, keep, 1), unreadable
