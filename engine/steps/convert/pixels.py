"""convert: writes slides and volumes as OME-Zarr, with the whole pyramid and a tissue mask.

Three steps: `overview` (the tissue mask first, where it decides which pixels to keep), `pixels` (blocks of whole shards; the
levels that a block contains are computed while its pixels are in memory), `pyramid` (the remaining levels, the mask and the
metadata). Volumes have the last two steps; their blocks are one shard each, so that memory is bounded at any image size.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from ....stores.array import Written
from ....stores.downsample import halve
from ....stores.frame import Array, Box
from ....stores.image import StoredImage
from ....stores.slides.view import pieces_of, read_masked
from ....stores.source import Source
from ....stores.tile_reader import Tiled, TileReader
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
    tiles = chunk_reader(view, image) if keep is None else None

    def finish(box: Box, file: Written) -> list[tuple[int, Box, Written]]:
        """A shard that is written; those of coarser levels of which it is the last part will be, by whoever is free."""
        with outcome.clock("compute"):
            ready = coarser.fill(box)
        for level, part in ready:
            later.append(pool.submit(write_coarser, level, part))
        return [(0, box, file)]

    def write_coarser(level: int, box: Box) -> tuple[int, Box, Written]:
        with outcome.clock("write"):
            return level, box, coarser.write(level, box, keep)

    def write_shard(box: Box) -> list[tuple[int, Box, Written]]:
        with outcome.clock("read"):
            pixels, holes = read_kept(view, box, keep)
            unreadable.extend(holes)
        with outcome.clock("compute"):
            coarser.put(box, np.ma.getdata(pixels))
        with outcome.clock("write"):
            file = image.write(0, box, pixels)
        return finish(box, file)

    def write_tiles(shard: _Shard, group: Box) -> list[tuple[int, Box, Written]]:
        """Encode and halve the tiles of a group where they are decoded; whoever comes last writes the shard."""
        assert tiles is not None
        began, spent = time.perf_counter(), {"read": 0.0, "compute": 0.0, "write": 0.0}

        def spend(name: str) -> None:
            nonlocal began
            began, before = time.perf_counter(), began
            spent[name] += began - before

        boxes = list(group.cut(tiles.tile))
        for tile, decoded in zip(boxes, tiles.decode(boxes), strict=True):
            pixels = decoded
            if pixels is None:
                unreadable.append(tile)
                pixels = np.broadcast_to(np.full((), view.background, view.dtype), (view.channels, *tile.shape))
            spend("read")
            shard.put(tile, pixels)
            spend("write")
            coarser.put(tile, pixels)
            spend("compute")
        is_last = shard.count(group)
        if is_last:
            file = shard.write()
            spend("write")
        outcome.add(spent)
        return finish(shard.box, file) if is_last else []

    shards = block.cut(image.shard(0))
    works: Iterable[Callable[[], list[tuple[int, Box, Written]]]]
    if tiles:  # small pieces of work, so that no core waits for the last shard of another
        works = (
            partial(write_tiles, shard, group)
            for shard in (_Shard(image, box) for box in shards)
            for group in shard.box.cut(tiles.group)
        )
    else:
        works = (partial(write_shard, box) for box in shards)
    # one extra thread, so that no core idles while a shard is written
    with ThreadPoolExecutor(available_threads() + 1) as pool:
        pool.submit(preload, len(block.shape))
        later: list[Future[tuple[int, Box, Written]]] = []
        written = [file for files in pool.map(lambda work: work(), works) for file in files]
        written += [work.result() for work in later]
    outcome.files += [file for _, _, file in sorted(written, key=lambda one: (one[0], one[1].start))]
    outcome.facts["unreadable"] = sorted([*b.start, *b.stop] for b in unreadable)
    outcome.facts["absent"] = [[*b.start, *b.stop] for b in job.modality.absent(job, unit.slide, block)]
    outcome.facts["tile"] = list(pieces_of(view))
    outcome.facts["pixels"] = block.size
    outcome.facts.update(job.modality.notes(job, unit.slide))
    return outcome


class _Shard:
    """A shard of the finest level, put together by several threads."""

    def __init__(self, image: StoredImage, box: Box) -> None:
        self.box = box
        self._array = image.levels[0]
        self._encoder = self._array.encoder()
        self._left = box.size
        self._lock = threading.Lock()

    def put(self, tile: Box, pixels: Array) -> None:
        """Encode the pixels of one of its chunks."""
        axes = zip(tile.start, self.box.start, self._array.spec.chunk[1:], strict=True)
        self._encoder.put((0, *((a - o) // n for a, o, n in axes)), pixels)

    def count(self, part: Box) -> bool:
        """A part is encoded: whether it was the last one."""
        with self._lock:
            self._left -= part.size
            return not self._left

    def write(self) -> Written:
        whole = Box((0, *self.box.start), (self._array.spec.shape[0], *self.box.stop))
        return self._array.write_encoded(whole, self._encoder)


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
        return _halved(self._block, level)

    def put(self, box: Box, pixels: Array) -> None:
        """Downsample `pixels`, those of a box of the finest level, into the buffer of the next."""
        buffer = self._levels[1] if self._count > 1 else None
        if buffer is not None:
            corners = zip(box.start, box.stop, self._block.start, strict=True)
            buffer[(slice(None), *(slice((a - o) // 2, (b - o + 1) // 2) for a, b, o in corners))] = halve(pixels)

    def fill(self, box: Box) -> list[tuple[int, Box]]:
        """Fill all other buffers for a box of the finest level that was put in; returns the shards that are full now."""
        full = []
        for n in range(1, self._count):
            where = _halved(box, n)
            if n > 1:
                self._at(n, where)[...] = halve(self._at(n - 1, _halved(box, n - 1)))
            shard = self._image.shard(n)
            for part in where.cut(shard):
                whole = part.coarsen(shard).refine(shard) & self.box(n)
                with self._lock:
                    self._left[n, whole] -= part.size
                    if not self._left[n, whole]:
                        full.append((n, whole))
        return full

    def write(self, level: int, box: Box, keep: Mask | None) -> Written:
        return self._image.write(level, box, masked(self._at(level, box), box, keep, 1 << level))

    def _at(self, level: int, box: Box) -> Array:
        buffer = self._levels[level]
        values: Array = buffer[(slice(None), *box.shift([-a for a in self.box(level).start]).slices)]  # type: ignore[index]
        return values


def _halved(box: Box, times: int) -> Box:
    return box.coarsen((1 << times,) * len(box.start))


def chunk_reader(view: Source, image: StoredImage) -> TileReader | None:
    """What decodes a file's tiles, where each is a chunk of the image; else None."""
    tiles = view.tile_reader() if isinstance(view, Tiled) else None
    chunk = image.levels[0].spec.chunk
    return tiles if tiles and (image.channels, *tiles.tile) == chunk and view.dtype == image.dtype else None


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
