"""convert: slides and volumes to OME-Zarr with their whole pyramid and a tissue mask.

Three steps: `overview` (tissue first, where the pixels to keep depend on it), `pixels` (blocks of whole shards, with every
level that a block contains made while its pixels are in memory), `pyramid` (what no block contains, the mask, the metadata).
Volumes have the last two; a block of theirs is one shard, so that memory stays bounded whatever their size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ...stores.array import Written
from ...stores.downsample import halve, resize
from ...stores.frame import Array, Box, Frame
from ...stores.image import (
    ImageSpec,
    StoredImage,
    begin_groups,
    halving,
    image_label,
    labels_listed,
    list_labels,
    pyramid,
)
from ...stores.receipts import Ledger
from ...stores.scaled import ranges_of
from ...stores.shard import Codec
from ...stores.slides.view import read_masked
from ...stores.source import Source
from ..job import Job, Unit
from ..run import Outcome
from ..tile import Mask
from ..workers import lanes

SHARD, CHUNK = 2048, 256
SMALL = 64
"""Voxels along a chunk of a volume."""
CONTAINED = 3
"""Levels that a block of pixels contains wholly: 8192, 4096 and 2048 cells, whole shards each."""
BLOCK = SHARD << (CONTAINED - 1)
TISSUE_SPACING = 8.0
"""Micrometres a cell of the tissue mask, about."""

MASK_CELLS = 1 << 22
"""Of a volume's mask, at most: 2 mm of a head that was scanned at 1 mm."""
MAX_BAD = 0.01
"""Share of a volume's mask that may be unreadable before it is rejected."""

TISSUE, UNREADABLE = 1, 2


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

    @property
    def block(self) -> tuple[int, ...]:
        return tuple(n << (self.contained - 1) for n in self.shard)


CUTS = {
    "slides": Cut((SHARD, SHARD), (CHUNK, CHUNK), CONTAINED, 256, ((1024, 1024), (256, 256))),
    "volumes": Cut((256,) * 3, (SMALL,) * 3, 1, 64, ((256,) * 3, (SMALL,) * 3)),
}


def cut_of(job: Job) -> Cut:
    return CUTS[job.folder.images]


def reference_of(frame: Frame) -> tuple[float, ...]:
    """What an image's positions are stated against (see `stores.ngff`)."""
    return frame.spacing if len(frame.shape) == 2 else (0.0,) * len(frame.shape)


def coarse(frame: Frame) -> tuple[int, ...]:
    """Cells of the run's frame along one cell of the tissue mask: powers of two, so that it is a level of the pyramid."""
    if len(frame.shape) == 2:
        factor = 1 << max(0, round(math.log2(TISSUE_SPACING / frame.spacing[0])))
        return (factor, factor)
    factors = (1,) * len(frame.shape)
    while frame.coarsen(factors).box.size > MASK_CELLS:
        factors = tuple(a * b for a, b in zip(factors, halving(frame.coarsen(factors)), strict=True))
    return factors


def image_spec(job: Job, slide: str) -> ImageSpec:
    """What the slide's store will hold."""
    record = job.slides[slide]
    kept = record.frame.coarsen(coarse(record.frame)) if job.pixels == "none" else record.frame
    cut = cut_of(job)
    return ImageSpec(
        frames=pyramid(kept, longest=cut.longest),
        channels=record.channels,
        dtype=record.dtype,
        shard=cut.shard,
        chunk=cut.chunk,
        fill=record.background,
        codec=Codec(job.settings.codec),
    )


def overview(source: Source, target: Frame) -> tuple[Array, list[Box]]:
    """The source on a coarse frame, (channel, *target.shape), from its nearest level that is at least as fine; and the
    boxes of the target that could not be decoded. Memory stays bounded: levels much finer are read in strips."""
    fit = [i for i, f in enumerate(source.frames) if f.spacing[0] <= target.spacing[0] * 1.05]
    level = fit[-1] if fit else 0
    frame = source.frames[level]
    strip = max(1, (1 << 25) // max(1, frame.shape[1] * source.channels))
    rows = [n * frame.shape[0] // target.shape[0] for n in range(target.shape[0] + 1)]
    out = np.empty((source.channels, *target.shape), source.dtype)
    bad: list[Box] = []
    at = 0
    while at < target.shape[0]:
        end = at + 1
        while end < target.shape[0] and rows[end + 1] - rows[at] <= strip:
            end += 1
        box = Box((rows[at], 0), (max(rows[end], rows[at] + 1), frame.shape[1])) & frame.box
        pixels, holes = read_masked(source, box, level)
        out[:, at:end] = resize(pixels, (end - at, target.shape[1]))
        scale = [t / f for t, f in zip(target.shape, frame.shape, strict=True)]
        bad += [_scaled(hole, scale) & target.box for hole in holes]
        at = end
    return out, bad


def _scaled(box: Box, factors: list[float]) -> Box:
    return Box(
        tuple(math.floor(a * f) for a, f in zip(box.start, factors, strict=True)),
        tuple(math.ceil(b * f) for b, f in zip(box.stop, factors, strict=True)),
    )


class Overview:
    """Where the store keeps only some pixels, the tissue is found first, from the slide's own coarse levels."""

    name = "overview"
    fields = ("pixels", "codec")

    def units(self, job: Job) -> Iterator[Unit]:
        if job.pixels != "all":
            for slide in job.slides:
                yield Unit(self.name, f"{slide}/overview", slide)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        outcome = Outcome()
        record = job.slides[unit.slide]
        target = record.frame.coarsen(coarse(record.frame))
        with outcome.clock("read"):
            picture, bad = overview(job.slide(unit.slide), target)
        with outcome.clock("compute"):
            labels = _tissue_labels(picture, target, bad=bad, limit=1.0)  # how much is too much, `pyramid` decides
        outcome.facts["unreadable"] = sorted([*b.start, *b.stop] for b in bad)
        with outcome.clock("write"):
            begin_groups(job.folder.slide(unit.slide))
            outcome.files += _write_tissue(job, unit.slide, labels, target)
            if job.pixels == "none":
                image = StoredImage.ensure(job.folder.slide(unit.slide), image_spec(job, unit.slide))
                for box in target.box.cut(image.shard(0)):
                    outcome.files.append(image.write(0, box, picture[(slice(None), *box.slices)]))
        return outcome


class Pixels:
    """Blocks of the slide, decoded once, written at every level that the block contains."""

    name = "pixels"
    fields = ("codec",)

    def units(self, job: Job) -> Iterator[Unit]:
        if job.pixels == "none":
            return
        block = cut_of(job).block
        for slide, record in job.slides.items():
            for box in record.frame.box.cut(block):
                at = "-".join(str(a // b) for a, b in zip(box.start, block, strict=True))
                yield Unit(self.name, f"{slide}/{at}", slide, box.start)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        outcome = Outcome()
        record = job.slides[unit.slide]
        spec = image_spec(job, unit.slide)
        image = StoredImage.ensure(job.folder.slide(unit.slide), spec)
        view = job.view(unit.slide)
        cut = cut_of(job)
        block = Box(unit.start, tuple(a + b for a, b in zip(unit.start, cut.block, strict=True))) & record.frame.box
        keep = kept_chunks(job, unit.slide) if job.pixels == "tissue" else None
        coarser = _Buffers(image, block, cut.contained)
        bad: list[Box] = []

        def do(box: Box) -> Written:
            with outcome.clock("read"):
                pixels, holes = read_kept(view, box, keep)
                bad.extend(holes)
            with outcome.clock("compute"):
                coarser.fill(0, box, np.ma.getdata(pixels))
            with outcome.clock("write"):
                return image.write(0, box, pixels)

        with ThreadPoolExecutor(lanes() + 1) as pool:  # one more, so that no core waits while a shard is written
            outcome.files += pool.map(do, block.cut(image.shard(0)))
            for level in range(1, min(cut.contained, len(image.frames))):
                boxes = list(coarser.box(level).cut(image.shard(level)))
                with outcome.clock("write"):
                    outcome.files += pool.map(lambda b, n=level: coarser.write(n, b, keep), boxes)
        outcome.facts["unreadable"] = sorted([*b.start, *b.stop] for b in bad)
        outcome.facts["pixels"] = block.size
        if hasattr(view, "affine"):
            outcome.facts["affine"] = view.affine
        return outcome


class _Buffers:
    """The coarser levels of one block, filled while its finest pixels are in memory."""

    def __init__(self, image: StoredImage, block: Box, contained: int) -> None:
        self._image = image
        self._block = block
        count = min(contained, len(image.frames))
        self._levels = [
            np.empty((image.channels, *self.box(n).shape), image.dtype) if n else None for n in range(count)
        ]

    def box(self, level: int) -> Box:
        return self._block.coarsen((1 << level,) * len(self._block.start))

    def fill(self, level: int, box: Box, pixels: Array) -> None:
        """Put the halvings of `pixels`, which are `box` of a level, into every coarser one."""
        for n in range(level + 1, len(self._levels)):
            pixels = halve(pixels)
            where = box.coarsen((1 << n,) * len(box.start)).shift([-a for a in self.box(n).start])
            buffer = self._levels[n]
            if buffer is not None:
                buffer[(slice(None), *where.slices)] = pixels

    def write(self, level: int, box: Box, keep: Mask | None) -> Written:
        buffer = self._levels[level]
        values: Array = buffer[(slice(None), *box.shift([-a for a in self.box(level).start]).slices)]  # type: ignore[index]
        return self._image.write(level, box, masked(values, box, keep, 1 << level))


class Pyramid:
    """Per slide: the levels that no block contains, the tissue mask, and the metadata that make it an image."""

    name = "pyramid"
    fields = ("max_bad_tiles",)

    def units(self, job: Job) -> Iterator[Unit]:
        for slide in job.slides:
            yield Unit(self.name, f"{slide}/pyramid", slide)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        outcome = Outcome()
        record = job.slides[unit.slide]
        path = job.folder.slide(unit.slide)
        image = StoredImage.ensure(path, image_spec(job, unit.slide))
        target = record.frame.coarsen(coarse(record.frame))
        keep = kept_chunks(job, unit.slide) if job.pixels == "tissue" else None
        made = 1 if job.pixels == "none" else min(cut_of(job).contained, len(image.frames))
        with outcome.clock("write"):
            for level in range(made, len(image.frames)):
                outcome.files += _halve_level(image, level, keep)
        if job.pixels == "all":
            with outcome.clock("read"):
                picture = overview(image, target)[0] if len(target.shape) == 2 else _level_on(image, target)
            with outcome.clock("compute"):
                bad = _unreadable(job, unit.slide, coarse(record.frame))
                limit = getattr(job.settings, "max_bad_tiles", MAX_BAD)
                labels = _tissue_labels(picture, target, bad=bad, limit=limit)
            with outcome.clock("write"):
                outcome.files += _write_tissue(job, unit.slide, labels, target)
        else:
            labels = StoredImage.open(job.folder.layer(unit.slide, "tissue")).read(target.box)[0]
            _check_unreadable(labels, _unreadable(job, unit.slide, coarse(record.frame)), job.settings.max_bad_tiles)
        with outcome.clock("write"):
            begin_groups(path)
            list_labels(path, {*labels_listed(path), "tissue"})
            source: dict[str, Any] = {"finest_spacing": record.finest, "shape": list(record.full)}
            notes: dict[str, Any] = {"pixels": job.pixels, "source": source}
            if len(target.shape) == 3:
                source |= {"affine": _affine(job, unit.slide), "part": record.part}
                notes["ranges"] = ranges_of(picture, labels == TISSUE)
            outcome.files += image.finish(name=record.id, reference=reference_of(record.frame), notes=notes)
        cell = math.prod(s * 1e-3 for s in target.spacing)
        outcome.facts[f"tissue_mm{len(target.shape)}"] = round(float((labels == TISSUE).sum()) * cell, 4)
        outcome.facts["tissue_share"] = round(float((labels == TISSUE).mean()), 6)
        outcome.facts["unreadable_share"] = round(float((labels == UNREADABLE).mean()), 6)
        return outcome


def tissue(job: Job, slide: str) -> Mask:
    """Where the slide has tissue, asked for boxes of the run's frame."""
    path = job.folder.layer(slide, "tissue")
    try:
        stamp = (path / "zarr.json").stat().st_mtime_ns
    except FileNotFoundError:
        stamp = 0
    return _mask(path, job.slides[slide].frame, stamp)


@lru_cache(maxsize=4)
def _mask(path: Path, frame: Frame, stamp: int) -> Mask:
    """Kept between units; `stamp` tells a mask from one made anew, in workers that outlive a run."""
    stored = StoredImage.open(path)
    return Mask.over(stored.read(stored.frames[0].box)[0] == TISSUE, stored.frames[0], frame)


def kept_chunks(job: Job, slide: str) -> Mask:
    """The chunks of the finest level that touch tissue, one cell each: what `--pixels tissue` keeps."""
    found = tissue(job, slide)
    frame = job.slides[slide].frame
    boxes = list(frame.box.cut((CHUNK, CHUNK)))
    values = (found.share(boxes) > 0).reshape(frame.coarsen((CHUNK, CHUNK)).shape)
    return Mask(values, (CHUNK, CHUNK), frame.shape)


def read_kept(view: Source, box: Box, keep: Mask | None) -> tuple[Any, list[Box]]:
    """Pixels of a box; with `keep`, only the chunks it names are read, the others are background and masked."""
    if keep is None:
        return read_masked(view, box)
    pixels = np.full((view.channels, *box.shape), view.background, view.dtype)
    bad: list[Box] = []
    for chunk in box.cut((CHUNK, CHUNK)):
        if keep.values[tuple(a // CHUNK for a in chunk.start)]:
            piece, holes = read_masked(view, chunk)
            pixels[(slice(None), *chunk.shift([-a for a in box.start]).slices)] = piece
            bad += holes
    return masked(pixels, box, keep, 1), bad


def masked(values: Array, box: Box, keep: Mask | None, factor: int) -> Any:
    """Values with the chunks masked that hold no kept chunk of the finest level; they will be absent from the shard."""
    if keep is None:
        return values
    mask = np.zeros(values.shape, bool)
    for chunk in box.cut((CHUNK, CHUNK)):
        finest = chunk.refine((factor, factor)).coarsen((CHUNK, CHUNK))
        mask[(slice(None), *chunk.shift([-a for a in box.start]).slices)] = not keep.values[finest.slices].any()
    return np.ma.MaskedArray(values, mask)


def _halve_level(image: StoredImage, level: int, keep: Mask | None) -> list[Written]:
    """Make a level from the stored one below it, shard by shard; shards of volumes slab by slab."""
    files = []
    below, by = image.frames[level - 1].box, halving(image.frames[level - 1])
    for box in image.frames[level].box.cut(image.shard(level)):
        thick = box.shape[0] if len(by) == 2 else SMALL // by[0]  # a row of chunks of the level below
        slabs = box.cut((thick, *image.shard(level)[1:]))
        pixels = np.concatenate([halve(image.read(slab.refine(by) & below, level - 1), by) for slab in slabs], 1)
        files.append(image.write(level, box, masked(pixels, box, keep, 1 << level)))
    return files


def _level_on(image: StoredImage, frame: Frame) -> Array:
    """The whole level of an image that lies on a frame."""
    level = next(i for i, one in enumerate(image.frames) if one.shape == frame.shape)
    return image.read(image.frames[level].box, level)


def _affine(job: Job, volume: str) -> Any:
    """The volume's own, as its blocks noted it."""
    receipts = Ledger(job.folder.out, "pixels", job.ledger_key("pixels", volume)).all(volume)
    return next((receipt.facts["affine"] for receipt in receipts if "affine" in receipt.facts), None)


def _unreadable(job: Job, slide: str, factor: tuple[int, ...]) -> list[Box]:
    """Boxes of the tissue mask's frame that the receipts of its overview and blocks name as not decodable."""
    boxes, axes = [], len(factor)
    for step, cells in (("overview", (1,) * axes), ("pixels", factor)):
        if step not in job.fingerprints:
            continue
        for receipt in Ledger(job.folder.out, step, job.ledger_key(step, slide)).all(slide):
            boxes += [Box(tuple(b[:axes]), tuple(b[axes:])).coarsen(cells) for b in receipt.facts["unreadable"]]
    return boxes


def _tissue_labels(picture: Array, frame: Frame, *, bad: list[Box], limit: float) -> Array:
    from ...models.head import head_mask
    from ...models.tissue import tissue_mask

    if len(frame.shape) == 2:
        found = tissue_mask(picture, frame.spacing[0])
    else:
        found = head_mask(picture[0] if len(picture) == 1 else picture.mean(0, dtype=np.float32), frame.spacing)
    labels = np.where(found, TISSUE, 0).astype(np.uint8)
    _check_unreadable(labels, bad, limit)
    for box in bad:
        labels[box.slices] = UNREADABLE
    return labels


def _check_unreadable(labels: Array, bad: list[Box], limit: float) -> None:
    """Reject a slide of which too much is lost: holes count where tissue lies around them."""
    lost = np.zeros(labels.shape, bool)
    for box in bad:
        around = box.grow(box.shape) & Box((0,) * labels.ndim, labels.shape)
        if (labels[around.slices] == TISSUE).any():
            lost[box.slices] = True
    share = lost.sum() / max(1, (lost | (labels == TISSUE)).sum())
    if share > limit:
        raise SlideError(
            f"{share:.1%} of its tissue cannot be decoded, the limit is {limit:.1%}: the file was probably cut short when "
            f"it was copied. Copy it again{', or raise --max-bad-tiles' if labels.ndim == 2 else ''}.",
            "E_TRUNCATED",
        )


def _write_tissue(job: Job, slide: str, labels: Array, frame: Frame) -> list[Written]:
    record = job.slides[slide]
    levels = len(image_spec(job, slide).frames)
    kind = "tissue" if labels.ndim == 2 else "foreground"
    properties = [
        {"label-value": TISSUE, "class": kind, "share": round(float((labels == TISSUE).mean()), 6)},
        {"label-value": UNREADABLE, "class": "unreadable", "share": round(float((labels == UNREADABLE).mean()), 6)},
    ]
    label = image_label({TISSUE: (31, 119, 180), UNREADABLE: (214, 39, 40)}, properties)
    return write_labels(
        job,
        slide,
        "tissue",
        labels=labels,
        frames=pyramid(frame, levels=levels),
        label=label,
        reference=reference_of(record.frame),
    )


def write_labels(
    job: Job, slide: str, name: str, *, labels: Array, frames: tuple[Frame, ...], label: dict[str, Any], reference: Any
) -> list[Written]:
    """A finished label pyramid; coarser levels take every second cell, so that labels stay labels."""
    path = job.folder.layer(slide, name)
    spec = ImageSpec(frames, None, labels.dtype.name, *cut_of(job).labels, codec=Codec("zstd"))
    image = StoredImage.create(path, spec)
    files = []
    for level, frame in enumerate(frames):
        for box in frame.box.cut(image.shard(level)):
            files.append(image.write(level, box, labels[box.slices]))
        labels = labels[tuple(slice(None, None, n) for n in halving(frame))]
    return files + image.finish(name=name, reference=reference, label=label)
