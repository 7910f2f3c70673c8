"""sample: random patches inside tissue, balanced over subjects and slides, read block by block into one sharded array.

Two steps: `draw` (chooses positions from masks and a seed) and `patches` (reads the pixels, one shard per unit).
samples.zarr holds `patches` (n, c, y, x), `slide` (n,), `place` (n, 2: first pixel at the run's spacing), and later `codes`.
For volumes, patches are uint16 cubes (n, c, z, y, x), and `place` is (n, 3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby

import numpy as np

from ....stores.array import ArraySpec, StoredArray
from ....stores.frame import Array, Box
from ....stores.image import attributes_of
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.settings import PatchSettings, SampledSettings
from ..normalization import prepare_of
from .read import read_patches

PER_SHARD = 1024
"""Patches per shard of samples.zarr; one unit reads and writes one shard."""
PER_CHUNK = 64
SHARD_BYTES = 1 << 26
"""Approximate bytes of a shard of cubes: larger cubes make fewer rows per shard."""


def patch_units(job: Job[SampledSettings], step: str) -> Iterator[Unit]:
    spec = patches_spec(job, len(drawn(job)[0]))
    for box in spec.shards:
        yield Unit(step, f"{box.start[0] // spec.shard[0]}", start=box.start)


def write_patches(job: Job[SampledSettings], unit: Unit) -> Outcome:
    """Read the drawn patches of one shard of samples.zarr; each block of a slide is read once."""
    outcome = Outcome()
    owners, places = drawn(job)
    slides = samples_slides(job)
    start = unit.start[0]
    spec = patches_spec(job, len(owners))
    rows = np.arange(start, min(start + spec.shard[0], len(owners)))
    side = job.settings.side
    batch = np.empty((len(rows), *spec.shape[1:]), spec.dtype)
    with outcome.clock("read"):
        for owner, members in groupby(rows, lambda r: int(owners[r])):
            slide, slide_rows = slides[owner], list(members)
            pixels = read_patches(job.image(slide), places[slide_rows], side)
            batch[[r - start for r in slide_rows]] = prepare_of(job, slide)(pixels, places[slide_rows])
    with outcome.clock("write"):
        array = StoredArray(job.folder.samples / "patches", spec)
        inner = (0,) * (len(spec.shape) - 1)
        outcome.files.append(array.write(Box((start, *inner), (start + len(rows), *spec.shape[1:])), batch))
    outcome.facts["patches"] = len(rows)
    return outcome


def patch_of(job: Job[PatchSettings]) -> tuple[int, ...]:
    """Shape of a patch: a square for slides, a cube for volumes."""
    return (job.settings.side,) * len(job.modality.axes)


def patches_spec(job: Job[SampledSettings], count: int) -> ArraySpec:
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
