"""Labels of an image: pyramids on the image's own grid, or on the grid of their cells where the run asks for that."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ....stores.array import Written
from ....stores.cells import CELL_KEY, cell_factor, write_repeated
from ....stores.frame import Array, Frame
from ....stores.image import ImageSpec, pyramid
from ....stores.shard import Codec
from ...pipeline.job import Job
from ...pipeline.settings import RunSettings
from .geometry import image_spec, reference_of


def write_labels(
    job: Job[RunSettings],
    slide: str,
    name: str,
    *,
    labels: Array,
    frame: Frame,
    label: dict[str, Any],
    notes: Mapping[str, Any] = MappingProxyType({}),
) -> list[Written]:
    """Write the labels of the cells of a frame as a pyramid with as many levels as the image, and its metadata.

    Coarser levels take every second pixel, as averaging would mix labels. Cells that are no whole pixels of the stored image
    (smaller ones, where it keeps a coarse picture alone) keep their own grid. `notes` go to our own attributes.
    """
    image, record, cut = image_spec(job, slide), job.slides[slide], job.modality.cut
    factor = cell_factor(frame, image.frames[0]) if job.settings.labels_on_image else ()
    if factor:  # constant chunks take next to nothing, so shards are as large as the blocks of images
        frames, shard, chunk = image.frames, cut.block, cut.chunk
        notes = {**notes, CELL_KEY: list(factor)}
        codec = Codec("zstd", "noshuffle")  # repeated values have no bits to bring together
    else:
        frames, (shard, chunk) = pyramid(frame, levels=len(image.frames)), cut.labels
        factor, codec = (1,) * len(frame.shape), Codec("zstd")
    spec = ImageSpec(frames, None, labels.dtype.name, shard, chunk, codec=codec)
    stored, files = write_repeated(job.folder.label(slide, name), labels, spec, factor)
    return files + stored.finish(
        name=name, reference=reference_of(record.frame), label=label, notes=notes, placement=record.placement
    )
