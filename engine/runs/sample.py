"""sample: random patches inside tissue, balanced over groups and slides, read block by block into one sharded array.

Two steps: `draw` (which patches, from masks and a seed alone) and `patches` (their pixels, a shard at a time).
samples.zarr holds `patches` (n, c, y, x), `slide` (n,), `place` (n, 2: first pixel at the run's spacing), and later `codes`;
of volumes, patches are cubes in the range of uint16 (n, c, z, y, x), and a place has three numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import numpy as np

from ...errors import NoInputError
from ...stores.array import ArraySpec, StoredArray, Written, written
from ...stores.files import write_json
from ...stores.frame import Array, Box
from ...stores.image import attributes_of
from ...stores.slides.view import read_masked
from ...stores.source import Source
from ..job import Job, Unit
from ..run import Outcome
from ..tile import scatter
from ..workers import lanes
from .convert import CHUNK, SMALL, tissue

PER_SHARD = 1024
"""Patches a shard of samples.zarr: what one unit reads and writes."""
PER_CHUNK = 64
BLOCK = 2048
"""Pixels along a block whose patches are read together: a shard of the store, so that few cells are read twice."""
CUBES = 256
"""Voxels along a block of a volume likewise."""
SHARD_BYTES = 1 << 26
"""Of a shard of cubes, about: the larger they are, the fewer."""
MOST_BYTES = 1 << 31
"""Of all cubes: training holds them in memory."""
PER_AREA = 8
"""Patches drawn, at most, from tissue as large as one patch: more would hardly differ from each other."""


class Draw:
    """Choose the patches of the whole cohort: from the tissue masks and the seed, without reading a pixel."""

    name = "draw"
    fields = ("patch", "samples", "seed")

    def units(self, job: Job) -> Iterator[Unit]:
        yield Unit(self.name, "draw")

    def execute(self, job: Job, unit: Unit) -> Outcome:
        from ...models.budget import budget

        outcome = Outcome()
        patch = patch_of(job)
        slides = list(job.slides)
        with outcome.clock("compute"):
            room = []
            for slide in slides:
                mask = tissue(job, slide)
                area = mask.values.sum() * float(np.prod(mask.ratio))
                room.append(round(PER_AREA * area / math.prod(patch)))
            most = min(job.settings.samples, budget(max(1, sum(room))).patches)
            if len(patch) == 3:
                most = min(most, max(64, MOST_BYTES // patches_spec(job, 1).nbytes))
            wanted = balance(room, [job.slides[s].group for s in slides], most)
            places, owners = [], []
            for i, (slide, count) in enumerate(zip(slides, wanted, strict=True)):
                if not count:
                    continue
                generator = np.random.default_rng([job.settings.seed, 1, i])
                found = scatter(tissue(job, slide), job.slides[slide].frame, patch, count=count, generator=generator)
                found = found[np.lexsort((*(found // block_of(patch)).T[::-1],))] if len(found) else found
                places.append(found)
                owners.append(np.full(len(found), i, np.int32))
            total = sum(len(p) for p in places)
            if not total:
                raise NoInputError(
                    f"no tissue was found on any of the {len(slides)} {job.folder.images}, so there is nothing to learn "
                    f"from. Look at labels/tissue of the stores in {job.folder.images}/, or check that they are what you "
                    "meant.",
                    "E_NO_TISSUE",
                )
        with outcome.clock("write"):
            outcome.files += _write_plan(job, np.concatenate(owners), np.concatenate(places))
        outcome.facts["samples"] = total
        outcome.facts["slides"] = {s: int((np.concatenate(owners) == i).sum()) for i, s in enumerate(slides)}
        return outcome


def balance(room: Sequence[int], groups: Sequence[str], total: int) -> list[int]:
    """Share `total` among slides: equally among groups, then among a group's slides, none beyond its room.

    >>> balance([100, 100, 5, 100], ["a", "a", "a", "b"], 60)
    [13, 12, 5, 30]
    """
    by_group: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        by_group.setdefault(group, []).append(i)
    share = _pour([sum(room[i] for i in members) for members in by_group.values()], total)
    out = [0] * len(room)
    for members, part in zip(by_group.values(), share, strict=True):
        for i, n in zip(members, _pour([room[i] for i in members], part), strict=True):
            out[i] = n
    return out


def _pour(room: Sequence[int], total: int) -> list[int]:
    """Fill vessels of some room evenly until `total` is spent; what a full one cannot take goes to the others."""
    out = [0] * len(room)
    left = min(total, sum(room))
    while left:
        open_ = [i for i, r in enumerate(room) if out[i] < r]
        each = max(1, left // len(open_))
        for i in open_[:left]:  # where fewer are left than vessels, the first ones get one each
            more = min(each, room[i] - out[i])
            out[i] += more
            left -= more
    return out


class Patches:
    """Read the patches that were drawn: a shard of samples.zarr a unit, each block of a slide read once."""

    name = "patches"
    fields = ()

    def units(self, job: Job) -> Iterator[Unit]:
        spec = patches_spec(job, len(drawn(job)[0]))
        for box in spec.shards:
            yield Unit(self.name, f"{box.start[0] // spec.shard[0]}", start=box.start)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        outcome = Outcome()
        owners, places = drawn(job)
        slides = samples_slides(job)
        first = unit.start[0]
        spec = patches_spec(job, len(owners))
        rows = np.arange(first, min(first + spec.shard[0], len(owners)))
        side = job.settings.patch
        batch = np.empty((len(rows), *spec.shape[1:]), spec.dtype)
        with outcome.clock("read"):
            for owner, members in groupby(rows, lambda r: int(owners[r])):
                mine = list(members)
                batch[[r - first for r in mine]] = read_patches(job.image(slides[owner]), places[mine], side)
        with outcome.clock("write"):
            array = StoredArray(job.folder.samples / "patches", spec)
            inner = (0,) * (len(spec.shape) - 1)
            outcome.files.append(array.write(Box((first, *inner), (first + len(rows), *spec.shape[1:])), batch))
        outcome.facts["patches"] = len(rows)
        return outcome


def read_patches(source: Source, places: Array, side: int, *, cell: int = 0, block: int = 0) -> Array:
    """Patches of equal sides at `places` (n, axes: first cell), shape (n, channel, side, side), or cubes.

    Patches of one block are cut from one canvas, into which only the cells are read that some patch touches; blocks are
    read side by side, as many as the unit may keep busy. What hangs over the frame is background.
    """
    axes = places.shape[1]
    cell, block = cell or (CHUNK if axes == 2 else SMALL), block or block_of((side,) * axes)
    out = np.empty((len(places), source.channels, *(side,) * axes), source.dtype)
    keys = places // block
    order = np.lexsort((*keys.T[::-1],))

    def read(mine: Array) -> None:
        low = places[mine].min(0) // cell * cell
        high = -(-(places[mine].max(0) + side) // cell) * cell
        touched = np.zeros(((high - low) // cell).tolist(), bool)
        for place in places[mine] - low:
            touched[tuple(slice(a // cell, -(-(a + side) // cell)) for a in place.tolist())] = True
        canvas = np.full((source.channels, *(high - low)), source.background, source.dtype)
        for at in np.ndindex(*touched.shape[:-1]):
            for x, end in _runs(touched[at]):
                box = Box((*at, x), (*(a + 1 for a in at), end)).refine((cell,) * axes)
                box = box.shift(low.tolist()) & source.frames[0].box
                if box.size:
                    pixels, _ = read_masked(source, box)
                    canvas[(slice(None), *box.shift((-low).tolist()).slices)] = pixels
        for r in mine:
            out[r] = canvas[(slice(None), *(slice(a, a + side) for a in (places[r] - low).tolist()))]

    blocks = [np.fromiter(members, int) for _, members in groupby(order, lambda r: tuple(keys[r]))]
    with ThreadPoolExecutor(min(lanes(), max(1, len(blocks)))) as pool:
        for _ in pool.map(read, blocks):
            pass
    return out


def _runs(row: Array) -> Iterator[tuple[int, int]]:
    """Half-open runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def patch_of(job: Job) -> tuple[int, ...]:
    """Sides of a patch: a square, or a cube."""
    return (job.settings.patch,) * (3 if job.folder.images == "volumes" else 2)


def block_of(patch: tuple[int, ...]) -> int:
    """Cells along a block whose patches are read together."""
    return BLOCK if len(patch) == 2 else CUBES


def patches_spec(job: Job, count: int) -> ArraySpec:
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


def drawn(job: Job) -> tuple[Array, Array]:
    """Which slide (n,) and which place (n, 2) every sample comes from."""
    root = job.folder.samples
    return StoredArray.open(root / "slide").read_all(), StoredArray.open(root / "place").read_all()


def samples_slides(job: Job) -> list[str]:
    """Ids of the slides that the samples' `slide` counts."""
    return list(attributes_of(job.folder.samples)["slides"])


def _write_plan(job: Job, owners: Array, places: Array) -> list[Written]:
    root = job.folder.samples
    n = len(owners)
    write_json(
        root / "zarr.json",
        {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": {"slides": list(job.slides), "patch": job.settings.patch},
        },
    )
    StoredArray.create(root / "patches", patches_spec(job, n))
    documents = [root / "zarr.json", root / "patches" / "zarr.json"]
    files = []
    for name, values, names in (("slide", owners, ("n",)), ("place", places, ("n", "axis"))):
        spec = ArraySpec(values.shape, values.dtype.name, values.shape, values.shape, names)
        files.append(StoredArray.create(root / name, spec).write(Box((0,) * values.ndim, values.shape), values))
        documents.append(root / name / "zarr.json")
    return [*files, *map(written, documents)]
