"""Tissue mask of a slide or volume, with the parts of the image that could not be decoded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ....errors import SlideError
from ....stores.array import Written
from ....stores.cells import LabelCells
from ....stores.frame import Array, Box, Frame
from ....stores.image import ATTRIBUTES_KEY, attributes_of, image_label
from ....stores.remote import to_path
from ....stores.slides.file_marks import fingerprint
from ....stores.slides.outside_mask import read_outside_mask
from ...compute.resources import resources
from ...pipeline.job import Job
from ...pipeline.modality import SLIDE_CHUNK
from ...pipeline.record import ImageRecord
from ...pipeline.settings import RunSettings
from ...tiling.mask import Mask
from .labels import write_labels
from .loss import Loss, loss_of, marked

TISSUE, UNREADABLE, ABSENT = 1, 2, 3
"""Values of the label; 0 is background."""
COLOURS_OF_LOSS = {UNREADABLE: (214, 39, 40), ABSENT: (148, 103, 189)}
DARK = 128.0
"""Mean of an 8-bit background up to which it is no glass: three channels of fluorescence."""
MEDIAN = "background_median"
"""Own attribute of the label: the median of each channel over its background, at about 8 um."""


def tissue(job: Job[RunSettings], slide: str) -> Mask:
    """The slide's tissue mask, queried with boxes of the run's frame.

    Where pixels were chosen by the mask, it is without those that could not be decoded, which was found out later."""
    return _stored_mask(job, slide, later=job.pixels == "tissue")


def _stored_mask(job: Job[RunSettings], slide: str, *, later: bool) -> Mask:
    path = job.folder.label(slide, "tissue")
    try:
        stamp = (path / "zarr.json").stat().st_mtime_ns
    except FileNotFoundError:
        stamp = 0
    frame = job.slides[slide].frame
    # cached between units; `stamp` invalidates the cache when the mask is rewritten, as workers can outlive a run

    def read() -> Mask:
        stored = LabelCells.open(path)
        values = stored.read_all() == TISSUE
        lost = marked(loss_of(job, slide).unreadable, values.shape) if later else np.zeros_like(values)
        return Mask.over(values & ~lost, stored.frame, frame)

    return resources().masks.get((path, frame, stamp, later), read)


def glass_of(job: Job[RunSettings], slide: str) -> Array | None:
    """Intensity of the slide's empty glass, float64 (channel,); None for fluorescence and where the mask leaves out nothing."""
    record = job.slides[slide]
    if (record.channels, record.dtype) != (3, "uint8"):
        return None
    attributes = attributes_of(job.folder.label(slide, "tissue"))
    older = attributes["ome"]["image-label"]["properties"][0].get("median")  # where runs kept it before
    median = attributes[ATTRIBUTES_KEY].get(MEDIAN) or older
    glass = np.array(median) if median else None
    return glass if glass is None or record.background or glass.mean() > DARK else None


def kept_chunks(job: Job[RunSettings], slide: str) -> Mask:
    """The chunks of the finest level that contain tissue, one cell per chunk: `--pixels tissue` keeps these."""
    mask = _stored_mask(job, slide, later=False)  # as it was when the pixels were chosen
    frame = job.slides[slide].frame
    boxes = list(frame.box.cut((SLIDE_CHUNK, SLIDE_CHUNK)))
    values = (mask.share(boxes) > 0).reshape(frame.coarsen((SLIDE_CHUNK, SLIDE_CHUNK)).shape)
    return Mask(values, (SLIDE_CHUNK, SLIDE_CHUNK), frame.shape)


def masked(values: Array, box: Box, keep: Mask | None, factor: int) -> Any:
    """Mask the chunks of `values` that overlap no kept chunk of the finest level; the shard will omit them."""
    if keep is None:
        return values
    mask = np.zeros(values.shape, bool)
    for chunk in box.cut((SLIDE_CHUNK, SLIDE_CHUNK)):
        finest = chunk.refine((factor, factor)).coarsen((SLIDE_CHUNK, SLIDE_CHUNK))
        mask[(slice(None), *chunk.shift([-a for a in box.start]).slices)] = not keep.values[finest.slices].any()
    return np.ma.MaskedArray(values, mask)


def find_tissue(picture: Array, frame: Frame, record: ImageRecord) -> Array:
    """Mask of the tissue, bool: from outside where the image has such a mask, else computed from the picture on `frame`."""
    return _outside_mask(record, frame.shape) if record.tissue_mask else compute_tissue(picture, frame, record)


def covered_tissue(job: Job[RunSettings], slide: str, mask: Array, frame: Frame) -> tuple[Array, list[str]]:
    """The mask without what some part of the image does not cover, as a section smaller than the others; and what to say."""
    covered = job.modality.covered(job, slide, frame)
    if covered is None or covered.all():
        return mask, []
    share = float((mask & ~covered).sum() / max(1, mask.sum()))
    said = [f"{share:.1%} of its tissue lies beyond the rim of some section, and is left out"] if share else []
    return mask & covered, said


def preload(axes: int) -> None:
    """Import what finds tissue, which takes a third of a second: while other threads decode pixels it costs no time."""
    if axes == 2:
        from ....models.masks import brightfield
        from ....models.masks.tissue import load_functions

        _ = brightfield
        load_functions()
    else:
        from ....models.masks import head_mask

        _ = head_mask


def compute_tissue(picture: Array, frame: Frame, record: ImageRecord) -> Array:
    """Mask of the tissue of a slide or the foreground of a volume, bool, from its picture (channel, *frame)."""
    from ....models.masks.brightfield import as_brightfield, bright_tissue
    from ....models.masks.head_mask import head_mask
    from ....models.masks.tissue import tissue_mask

    if record.labels:
        return np.asarray((picture != 0).any(0))
    if record.stains:  # tissue of any stain; a missing one has none
        plain = replace(record, stains=(), sections=(), channels=3)
        parts = [
            picture[i : i + 3] for i in range(0, len(picture), 3) if (picture[i : i + 3] != record.background).any()
        ]
        return np.asarray(sum((compute_tissue(part, frame, plain) for part in parts), np.zeros(frame.shape, bool)))
    if len(frame.shape) == 2:
        said = record.background > 0
        colours = as_brightfield(picture, said=said)
        if colours is None:
            return tissue_mask(bright_tissue(picture, said=said), frame.spacing[0], brightfield=False)
        return tissue_mask(colours, frame.spacing[0], brightfield=True)
    return head_mask(picture[0] if len(picture) == 1 else picture.mean(0, dtype=np.float32), frame.spacing)


def with_loss(mask: Array, loss: Loss) -> Array:
    """Labels of a tissue mask, with what is absent from the file or unreadable."""
    labels = np.where(mask, TISSUE, 0).astype(np.uint8)
    labels[marked(loss.absent, labels.shape)] = ABSENT
    labels[marked(loss.unreadable, labels.shape)] = UNREADABLE
    return labels


def _outside_mask(record: ImageRecord, shape: tuple[int, ...]) -> Array:
    """The slide's mask from outside. Raises SlideError (E_CHANGED) where its file is not the one that the run began with."""
    path = to_path(record.tissue_mask)
    if fingerprint(path) != record.tissue_mask_fingerprint:
        raise SlideError(
            f"its tissue mask {path.name} changed since the run began: its tiles would follow two masks. Run the command "
            "again with --redo.",
            "E_CHANGED",
        )
    return read_outside_mask(path, record.native_shape, shape, record.corner)


def write_tissue(job: Job[RunSettings], slide: str, labels: Array, frame: Frame, picture: Array) -> list[Written]:
    """Write the labels on `frame`, with the median of the picture (channel, *frame) where there is no tissue."""
    kind = "tissue" if labels.ndim == 2 else "foreground"
    properties = [
        {"label-value": TISSUE, "class": kind, "share": round(float((labels == TISSUE).mean()), 6)},
        {"label-value": UNREADABLE, "class": "unreadable", "share": round(float((labels == UNREADABLE).mean()), 6)},
    ]
    notes = {}
    if (background := labels == 0).any():
        notes[MEDIAN] = [round(float(v), 3) for v in np.median(picture[:, background], axis=1)]
    colours = {TISSUE: (31, 119, 180), UNREADABLE: COLOURS_OF_LOSS[UNREADABLE]}
    if (absent := labels == ABSENT).any():
        properties.append({"label-value": ABSENT, "class": "absent", "share": round(float(absent.mean()), 6)})
        colours[ABSENT] = COLOURS_OF_LOSS[ABSENT]
    label = image_label(colours, properties)
    return write_labels(job, slide, "tissue", labels=labels, frame=frame, label=label, notes=notes)
