"""prepare: every volume of a run on one grid, as one row of samples.zarr; what networks of volumes are trained on.

Two steps: `lineup` (which volume is which row) and `prepare` (a volume a unit, in a shard of its own).
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ...errors import CorruptError, SlideError
from ...stores.array import ArraySpec, StoredArray, written
from ...stores.downsample import halve
from ...stores.files import write_json
from ...stores.frame import Array, Box
from ...stores.image import attributes_of, halving
from ...stores.remote import place
from ...stores.source import Source
from ..job import Job, SlideRecord, Unit
from ..preparation import Grid, Pose, prepared
from ..run import Outcome
from .convert import coarse, tissue

IN_MEMORY = 2_000_000_000
"""Bytes of prepared volumes that a training keeps in memory; more of them are read batch by batch."""


class Lineup:
    """Give every volume its row."""

    name = "lineup"
    fields = ("network", "shape", "voxel")

    def units(self, job: Job) -> Iterator[Unit]:
        yield Unit(self.name, self.name)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        outcome = Outcome()
        root = job.folder.samples
        grid = job.settings.grid(list(job.slides.values()))
        with outcome.clock("write"):
            attributes = {"slides": list(job.slides), "grid": asdict(grid)}
            write_json(root / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": attributes})
            StoredArray.create(root / "patches", _spec(job, len(job.slides)))
            outcome.files += [written(root / "zarr.json"), written(root / "patches" / "zarr.json")]
        outcome.facts["shape"] = list(grid.shape)
        return outcome


class Prepare:
    """A volume masked, scaled and laid on the grid."""

    name = "prepare"
    fields = ("mask", "align", "template")

    def units(self, job: Job) -> Iterator[Unit]:
        for volume in job.slides:
            yield Unit(self.name, f"{volume}/prepare", volume)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        outcome = Outcome()
        record, rows = job.slides[unit.slide], lineup(job)
        with outcome.clock("read"):
            values = job.stored(unit.slide).read(record.frame.box)[0]
            mask = mask_of(job, record)
        with outcome.clock("compute"):
            cells, ends = prepared(values, mask, record.frame, grid_of(job), _pose(job, values, record))
        with outcome.clock("write"):
            array = StoredArray(job.folder.samples / "patches", _spec(job, len(rows)))
            row = rows.index(unit.slide)
            outcome.files.append(array.write(Box((row, 0, 0, 0, 0), (row + 1, 1, *cells.shape)), cells[None, None]))
        outcome.facts.update(pixels=values.size, low=float(ends[0]), high=float(ends[1]))
        return outcome


def new(job: Job, record: SlideRecord, volume: Source) -> Array:
    """A volume that is not of the run, prepared as those of the run are: uint16 (1, 1, z, y, x)."""
    values = volume.read(volume.frames[0].box)[0]
    mask = _head(values, record) if job.settings.mask == "head" else mask_of(job, record)
    cells, _ = prepared(values, mask, record.frame, grid_of(job), _pose(job, values, record))
    return cells[None, None]


def mask_of(job: Job, record: SlideRecord) -> Array:
    """bool (z, y, x) of what stays of a volume. Raises SlideError (E_NO_MASK) where a mask that is needed is missing."""
    setting = job.settings.mask
    if setting == "none":
        return np.ones(record.shape, bool)
    if setting == "head":
        return _spread(tissue(job, record.id).values, record.shape, coarse(record.frame))
    path = _given(job, record) if setting == "given" else place(setting)
    from ...stores.volumes.reader import open_volume

    with open_volume(path) as mask:
        frame = mask.frames[0]
        cells = mask.read(frame.box)[0] > 0
    axes = []
    for axis in range(3):
        centres = record.frame.centres(axis)
        axes.append(np.floor((centres - frame.origin[axis]) / frame.spacing[axis] + 1e-6).astype(int))
    out = np.zeros(record.shape, bool)
    inside = [np.flatnonzero((a >= 0) & (a < n)) for a, n in zip(axes, frame.shape, strict=True)]
    out[np.ix_(*inside)] = cells[np.ix_(*[a[i] for a, i in zip(axes, inside, strict=True)])]
    return out


def _spread(mask: Array, shape: tuple[int, ...], factors: tuple[int, ...]) -> Array:
    """A coarse mask on the cells that each of its own stands for."""
    return np.asarray(mask[np.ix_(*[np.arange(n) // f for n, f in zip(shape, factors, strict=True)])])


def _head(values: Array, record: SlideRecord) -> Array:
    """The mask that converting the volume would leave."""
    from ...models.head import head_mask

    picture, frame, factors = values[None], record.frame, coarse(record.frame)
    while frame.shape != record.frame.coarsen(factors).shape:
        step = halving(frame)
        picture, frame = halve(picture, step), frame.coarsen(step)
    return _spread(head_mask(picture[0], frame.spacing), record.shape, factors)


def _given(job: Job, record: SlideRecord) -> Path:
    """The mask that the cohort's list names, or that lies beside the volume, or among derivatives, as BIDS has it."""
    path = place(record.path)
    if stated := record.extra.get("mask"):
        beside = path.parent / stated
        return beside if beside.exists() else place(job.folder.read("run")["input"]) / stated
    stem = path.name.removesuffix(".gz").removesuffix(".nii").rsplit("_", 1)[0]
    derived = place(job.folder.read("run")["input"]) / "derivatives"
    inside = glob.escape(Path(record.name).parent.as_posix())
    for name in (f"{glob.escape(stem)}_desc-brain_mask.nii*", f"{glob.escape(stem)}_*_desc-brain_mask.nii*"):
        for near in (*sorted(path.parent.glob(name)), *sorted(derived.glob(f"*/{inside}/{name}"))):
            return near
    raise SlideError(
        f"{path.name} has no mask: its row names none in a column `mask`, and no {stem}_desc-brain_mask.nii.gz lies beside "
        "it. Add one, or use --mask head.",
        "E_NO_MASK",
    )


def _pose(job: Job, values: Array, record: SlideRecord) -> Pose | None:
    if job.settings.align == "none":
        return None
    from ..align import pose_on

    return pose_on(place(job.settings.template), values, record.frame, job.settings.align)


def grid_of(job: Job) -> Grid:
    """What all volumes of the run are laid on: settled when they were lined up, whoever is rejected later."""
    try:
        stated = attributes_of(job.folder.samples)["grid"]
    except (CorruptError, KeyError):
        grid: Grid = job.settings.grid(list(job.slides.values()))
        return grid
    return Grid(tuple(stated["shape"]), tuple(stated["spacing"]), stated["whole"])


def lineup(job: Job) -> list[str]:
    """Ids of the volumes by row; some may have been rejected since."""
    return list(attributes_of(job.folder.samples)["slides"])


def _spec(job: Job, count: int) -> ArraySpec:
    shape = (1, *grid_of(job).shape)
    return ArraySpec((count, *shape), "uint16", (1, *shape), (1, *shape), ("n", "c", "z", "y", "x"))


class Volumes:
    """Prepared volumes as trainings take them: rows of those that are in use, in memory where they are few."""

    def __init__(self, job: Job, rows: Array | None = None) -> None:
        ids = lineup(job)
        used = np.array([i for i, volume in enumerate(ids) if volume in job.slides], np.int64)
        self._array = StoredArray.open(job.folder.samples / "patches")
        self._rows = used if rows is None else used[rows]
        cell = int(np.prod(self._array.spec.shape[1:])) * 2
        self._kept = self._read(self._rows) if cell * len(self._rows) <= IN_MEMORY else None

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Array) -> Array:
        if self._kept is not None:
            return np.asarray(self._kept[index])
        return self._read(self._rows[index])

    def _read(self, rows: Array) -> Array:
        shape = self._array.spec.shape[1:]
        out = np.empty((len(rows), *shape), np.uint16)
        for i, row in enumerate(rows):
            out[i] = self._array.read(Box((int(row), 0, 0, 0, 0), (int(row) + 1, *shape)))[0]
        return out
