"""Pyramid: the levels that no block contains, the tissue label and the store's metadata. One unit per image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ....stores.array import Written
from ....stores.cells import LabelCells
from ....stores.downsample import every_second, halve
from ....stores.frame import Array, Box, Frame
from ....stores.image import StoredImage, begin_groups, halving, labels_listed, list_labels
from ....stores.receipts import Ledger
from ....stores.scaled import ranges_of
from ....stores.slides.view import at_spacing
from ....stores.windows import windows_in_use
from ...compute.machine import available_threads
from ...pipeline.job import Job
from ...pipeline.modality import SLIDE_CHUNK, VOLUME_CHUNK
from ...pipeline.settings import RunSettings
from ...pipeline.unit import Outcome, Unit
from ...tiling.mask import Mask
from .geometry import PIXELS, coarse, image_spec, reference_of
from .loss import check_any_tile, check_loss, loss_of, marked
from .overview import level_for, overview, scaled
from .tissue import (
    ABSENT,
    TISSUE,
    UNREADABLE,
    compute_tissue,
    covered_tissue,
    find_tissue,
    kept_chunks,
    masked,
    with_loss,
    write_tissue,
)

RIM_UM = 40.0
"""Width of the rim of tissue that does not show a loss, in micrometres: gaps that the tissue mask closes are as wide."""


def write_pyramid(job: Job[RunSettings], unit: Unit) -> Outcome:
    """Write one image's remaining levels and tissue mask, and last its metadata, which make the store a valid image."""
    outcome = Outcome()
    record = job.slides[unit.slide]
    path = job.folder.slide(unit.slide)
    image = StoredImage.ensure(path, image_spec(job, unit.slide))
    target = record.frame.coarsen(coarse(record.frame))
    keep = kept_chunks(job, unit.slide) if job.pixels == "tissue" else None
    first_level = 1 if job.pixels == "none" else min(job.modality.cut.contained, len(image.frames))
    with outcome.clock("write"):
        for level in range(first_level, len(image.frames)):
            outcome.files += halve_level(image, level, keep, every_second if record.labels else halve)
    loss = loss_of(job, unit.slide)
    if job.pixels == "all":
        with outcome.clock("read"):
            picture = overview(image, target)[0] if len(target.shape) == 2 else _level_on(image, target)
        with outcome.clock("compute"):
            mask, said = covered_tissue(job, unit.slide, find_tissue(picture, target, record), target)
            labels = with_loss(mask, loss)
            outcome.notes += said
    else:
        labels = LabelCells.open(job.folder.label(unit.slide, "tissue")).read(target.box)
        mask = labels == TISSUE
    if loss.any:
        seen = _seen_on_coarser_level(job, unit.slide, target) if len(target.shape) == 2 else np.zeros_like(mask)
        check_loss(loss, mask, seen, job.settings.unreadable_limit)
        if len(target.shape) == 2 and (labels == ABSENT).all():
            check_any_tile(job, unit.slide)
    if job.pixels == "all":
        with outcome.clock("write"):
            outcome.files += write_tissue(job, unit.slide, labels, target, picture)
    with outcome.clock("write"):
        begin_groups(path)
        list_labels(path, {*labels_listed(path), "tissue"})
        source: dict[str, Any] = {"finest_spacing": record.native_spacing, "shape": list(record.native_shape)}
        notes: dict[str, Any] = {"pixels": job.pixels, "source": source}
        if len(target.shape) == 3:
            source |= {"affine": _affine(job, unit.slide), "part": record.subimage}
            notes["ranges"] = ranges_of(picture, labels == TISSUE)
        outcome.files += image.finish(
            name=record.id,
            reference=reference_of(record.frame),
            notes=notes,
            placement=record.placement,
            channel_names=record.channel_names,
            windows=() if record.dtype == "uint8" else windows_in_use(image),  # bytes are shown as they are
            nearest=record.labels,
        )
    cell = math.prod(s * 1e-3 for s in target.spacing)
    outcome.facts[f"tissue_mm{len(target.shape)}"] = round(float((labels == TISSUE).sum()) * cell, 4)
    outcome.facts["tissue_share"] = round(float((labels == TISSUE).mean()), 6)
    outcome.facts["unreadable_share"] = round(float((labels == UNREADABLE).mean()), 6)
    outcome.facts["absent_share"] = round(float((labels == ABSENT).mean()), 6)
    outcome.facts["lost"] = loss.text
    if loss.text:
        outcome.notices.append(f"{loss.text}; labels/tissue marks them")
    if len(target.shape) == 2 and not (labels == TISSUE).any():
        outcome.notices.append("no tissue was found: look at the slide, or give its mask with --tissue-mask")
    return outcome


def _seen_on_coarser_level(job: Job[RunSettings], slide: str, target: Frame) -> Array:
    """What a coarser level of the file than the one that was read shows as tissue, bool on `target`; nothing without one.

    Without the rim of the tissue, as the mask reaches across gaps into tiles that a scanner left out.
    """
    from scipy import ndimage

    source = job.modality.levels(job, slide)
    level = level_for(source, target)
    if level <= at_spacing(source, job.spacing).level:
        return np.zeros(target.shape, bool)
    picture, holes = overview(source, target)
    gaps = source.absent(source.frames[level].box, level)
    scale = [t / f for t, f in zip(target.shape, source.frames[level].shape, strict=True)]
    lost = marked([*holes, *(scaled(gap, scale) & target.box for gap in gaps)], target.shape)
    rim = max(1, round(RIM_UM / target.spacing[0]))
    return np.asarray(
        ndimage.binary_erosion(compute_tissue(picture, target, job.slides[slide]), iterations=rim, border_value=1)
        & ~lost
    )


def halve_level(
    image: StoredImage, level: int, keep: Mask | None, coarser: Callable[[Array, Sequence[int]], Array] = halve
) -> list[Written]:
    """Downsample a stored level to the next one, shard by shard, each a row of chunks of the finer level at a time.

    Rows of slides are halved by all threads; those of volumes, of which one has up to 64 MB, one after the other."""
    files = []
    below, by = image.frames[level - 1].box, halving(image.frames[level - 1])
    rows = (SLIDE_CHUNK if len(by) == 2 else VOLUME_CHUNK) // by[0]

    def half(slab: Box) -> Array:
        return coarser(image.read(slab.refine(by) & below, level - 1), by)

    with ThreadPoolExecutor(available_threads()) as pool:
        for box in image.frames[level].box.cut(image.shard(level)):
            slabs = box.cut((rows, *image.shard(level)[1:]))
            pixels = np.concatenate(list((pool.map if len(by) == 2 else map)(half, slabs)), 1)
            files.append(image.write(level, box, masked(pixels, box, keep, 1 << level), pool))
    return files


def _level_on(image: StoredImage, frame: Frame) -> Array:
    """All pixels of the image's level that has the shape of `frame`."""
    level = next(i for i, one in enumerate(image.frames) if one.shape == frame.shape)
    return image.read(image.frames[level].box, level)


def _affine(job: Job[RunSettings], volume: str) -> Any:
    """The affine of the volume's file, from the receipts of its blocks; None where no receipt has it."""
    receipts = Ledger(job.folder.out, PIXELS, job.ledger_key(PIXELS, volume)).all(volume)
    return next((receipt.facts["affine"] for receipt in receipts if "affine" in receipt.facts), None)
