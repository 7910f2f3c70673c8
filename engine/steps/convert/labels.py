"""Label pyramids and their metadata."""

from __future__ import annotations

from typing import Any

from ....stores.array import Written
from ....stores.frame import Array, Frame
from ....stores.image import ImageSpec, StoredImage, halving
from ....stores.shard import Codec
from ...pipeline.job import Job
from ...pipeline.settings import RunSettings


def write_labels(
    job: Job[RunSettings],
    slide: str,
    name: str,
    *,
    labels: Array,
    frames: tuple[Frame, ...],
    label: dict[str, Any],
    reference: Any,
) -> list[Written]:
    """Write a label pyramid with its metadata. Coarser levels take every second cell, as averaging would mix labels."""
    path = job.folder.label(slide, name)
    spec = ImageSpec(frames, None, labels.dtype.name, *job.modality.cut.labels, codec=Codec("zstd"))
    image = StoredImage.create(path, spec)
    files = []
    for level, frame in enumerate(frames):
        for box in frame.box.cut(image.shard(level)):
            files.append(image.write(level, box, labels[box.slices]))
        labels = labels[tuple(slice(None, None, n) for n in halving(frame))]
    return files + image.finish(name=name, reference=reference, label=label, placement=job.slides[slide].placement)
