"""sample: random patches inside tissue, balanced over subjects and slides, read tile by tile into one sharded array.

Two steps: `draw` (chooses positions from masks and a seed) and `patches` (reads the pixels, a few shards per unit).
samples.zarr holds `patches` (n, c, y, x), `slide` (n,), `place` (n, 2: first pixel at the run's spacing), and later `codes`.
For volumes, patches are uint16 cubes (n, c, z, y, x), and `place` is (n, 3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import numpy as np

from ....stores.array import ArraySpec, StoredArray
from ....stores.frame import Array, Box
from ....stores.image import attributes_of
from ...compute.machine import available_threads
from ...compute.resources import resources
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.settings import PatchSettings, SampledSettings
from ..normalization import prepare_of
from .read import read_patches

PER_SHARD = 1024
"""Patches per shard of samples.zarr."""
SHARDS_PER_UNIT = 4
"""Shards of slides' patches that one unit reads and writes, at most: tiles on the border of two units are decoded twice, 15 %
of all with one shard of patches of 128 pixels, 4 % with four."""
LEAST_UNITS = 4
"""Units that a sample of several shards is cut into, at least, so that workers share it."""
UNIT_BYTES = 1 << 28
"""Bytes of a unit's patches, at most, if it has several shards."""
PER_CHUNK = 64
SHARD_BYTES = 1 << 26
"""Approximate bytes of a shard of cubes: larger cubes make fewer rows per shard."""


def patch_units(job: Job[SampledSettings], step: str) -> Iterator[Unit]:
    spec = patches_spec(job, len(drawn(job)[0]))
    per, total = shards_per_unit(spec), -(-spec.shape[0] // spec.shard[0])
    for first in range(0, total, per):
        last = min(first + per, total) - 1
        name = f"{first}" if first == last else f"{first}-{last}"
        yield Unit(step, name, start=(first * spec.shard[0], *(0,) * (len(spec.shape) - 1)))


def shards_per_unit(spec: ArraySpec) -> int:
    """Shards that one unit reads and writes: as many as memory and workers allow of slides, one of volumes."""
    nbytes, total = math.prod(spec.shard) * np.dtype(spec.dtype).itemsize, -(-spec.shape[0] // spec.shard[0])
    return max(1, min(SHARDS_PER_UNIT, total // LEAST_UNITS, UNIT_BYTES // nbytes)) if len(spec.shape) == 4 else 1


def write_patches(job: Job[SampledSettings], unit: Unit) -> Outcome:
    """Read the drawn patches of some shards of samples.zarr; each tile of a slide is decoded once."""
    outcome = Outcome()
    owners, places = drawn(job)
    slides = samples_slides(job)
    start = unit.start[0]
    spec = patches_spec(job, len(owners))
    stop = min(start + shards_per_unit(spec) * spec.shard[0], len(owners))
    with resources().memory.array((stop - start, *spec.shape[1:]), spec.dtype) as batch:
        with outcome.clock("read"):
            for owner, members in groupby(range(start, stop), lambda r: int(owners[r])):
                first, count = start, len(list(members))
                start += count
                slide, where = slides[owner], places[first : first + count]
                pixels = batch[first - unit.start[0] :][:count]
                read_patches(job.image(slide), where, job.settings.side, out=pixels)
                prepared = prepare_of(job, slide)(pixels, where)
                if prepared is not pixels:
                    pixels[...] = prepared
        with outcome.clock("write"), ThreadPoolExecutor(available_threads()) as pool:
            array = StoredArray(job.folder.samples / "patches", spec)
            for box in Box(unit.start, (stop, *spec.shape[1:])).cut(spec.shard):
                rows = batch[box.start[0] - unit.start[0] : box.stop[0] - unit.start[0]]
                outcome.files.append(array.write(box, rows, pool))
    outcome.facts["patches"] = stop - unit.start[0]
    if stop == len(owners):  # training needs the room
        resources().memory.clear()
    return outcome


def patch_of(job: Job[PatchSettings]) -> tuple[int, ...]:
    """Shape of a patch: a square for slides, a cube for volumes."""
    return (job.settings.side,) * len(job.modality.axes)


def patches_spec(job: Job[PatchSettings], count: int) -> ArraySpec:
    record = next(iter(job.slides.values()))
    patch = patch_of(job)
    shape = (record.channels, *patch)
    if len(patch) == 2:
        return ArraySpec(
            (count, *shape),
            record.dtype,
            (PER_SHARD, *shape),
            (PER_CHUNK, *shape),
            ("n", "c", "y", "x"),
            record.background,
        )
    rows = min(PER_SHARD, max(PER_CHUNK, SHARD_BYTES // (2 * math.prod(shape)) // PER_CHUNK * PER_CHUNK))
    return ArraySpec((count, *shape), "uint16", (rows, *shape), (PER_CHUNK, *shape), ("n", "c", "z", "y", "x"))


def drawn(job: Job[SampledSettings]) -> tuple[Array, Array]:
    """The slide index (n,) and the position (n, axes) of every sample."""
    root = job.folder.samples
    return StoredArray.open(root / "slide").read_all(), StoredArray.open(root / "place").read_all()


def samples_slides(job: Job[SampledSettings]) -> list[str]:
    """Ids of the slides that `slide` in samples.zarr indexes."""
    return list(attributes_of(job.folder.samples)["slides"])
