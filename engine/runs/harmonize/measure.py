"""measure: what fits need of every image, from one level of its pyramid: one small file an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....models.harmonization.measures import Measures, measure
from ....models.training.checkpoint import load_checkpoint, save_checkpoint
from ....stores.array import written
from ....stores.files import write_durably
from ....stores.frame import Array, Frame
from ...pipeline.job import Job
from ...pipeline.outputs import Output
from ...pipeline.unit import Outcome, Unit
from ...steps.convert.tissue import tissue
from ...tiling.mask import Mask
from .normalized import Units
from .settings import HarmonizeSettings

MEASURES = Output("measures/{image}.safetensors")
MOST_CELLS = 1 << 24
"""Cells of the level that is measured, at most."""
WHITE = 255.0
"""Value of white of slides."""


def measure_image(job: Job[HarmonizeSettings], unit: Unit) -> Outcome:
    """Measure one image, and store what was found."""
    import torch

    outcome = Outcome()
    record = job.slides[unit.slide]
    with outcome.clock("read"):
        image = job.stored(unit.slide)
        level = next((i for i, one in enumerate(image.frames) if one.box.size <= MOST_CELLS), len(image.frames) - 1)
        values = image.read(image.frames[level].box, level)
        mask = mask_on(tissue(job, unit.slide), image.frames, level)
    with outcome.clock("compute"):
        factors = tuple(round(a / b) for a, b in zip(image.frames[level].spacing, image.frames[0].spacing, strict=True))
        if job.modality.planar:
            units = Units(np.full(record.channels, WHITE, np.float32), WHITE)
            found = measure(units.of(values), mask, factors, scale=np.ones(record.channels, np.float32))
        else:
            found = measure(values, mask, factors)
    with outcome.clock("write"):
        path = job.folder.out / MEASURES.path.format(image=unit.slide)
        tensors = {name: torch.from_numpy(values) for name, values in found.tensors().items()}
        save_checkpoint(path, tensors, {}, write_durably)
        outcome.files.append(written(path))
    outcome.facts.update(pixels=values.size, scale=[float(s) for s in found.scale])
    return outcome


def measures_of(job: Job[HarmonizeSettings], image: str) -> Measures:
    """The stored measures of an image."""
    tensors, _ = load_checkpoint(job.folder.out / MEASURES.path.format(image=image))
    return Measures(**{name: tensor.numpy() for name, tensor in tensors.items()})


def units_of(job: Job[HarmonizeSettings], measures: Measures) -> Units:
    """The units of an image's values: of a volume its own 99th percentile; of a slide from white to black."""
    if job.modality.planar:
        return Units(np.full(len(measures.scale), WHITE, np.float32), WHITE)
    return Units(measures.scale)


def mask_on(mask: Mask, frames: Sequence[Frame], level: int) -> Array:
    """A mask on the cells of a level, bool: the mask's value at the middle of each."""
    picks = []
    finest, frame = frames[0], frames[level]
    for axis, (n, size) in enumerate(zip(frame.shape, mask.values.shape, strict=True)):
        by = frame.spacing[axis] / finest.spacing[axis] / mask.ratio[axis]
        picks.append(np.minimum(((np.arange(n) + 0.5) * by).astype(np.int64), size - 1))
    return np.asarray(mask.values[np.ix_(*picks)])
