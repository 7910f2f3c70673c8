"""prepare: every volume of a run on one grid, as one row of samples.zarr: the training data of networks of volumes.

Two steps: `rows` (assigns each volume a row) and `prepare` (one unit per volume, written to its own shard).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ....errors import SettingsError
from ....stores.array import StoredArray, written
from ....stores.files import write_json
from ....stores.frame import Array, Box
from ....stores.remote import to_path
from ....stores.source import Source
from ...pipeline.job import Job
from ...pipeline.record import ImageRecord
from ...pipeline.unit import Outcome, Unit
from .dataset import _spec, assigned_rows, grid_of
from .grid import Pose, prepared
from .harmonized import notices_of, values_of
from .mask import _head, mask_of


def check_one_channel(job: Job[Any]) -> None:
    """Raises SettingsError (E_CHANNELS) for volumes with several channels: a network of whole volumes sees one."""
    several = [record for record in job.slides.values() if record.channels > 1]
    if several:
        raise SettingsError(
            f"{several[0].name}{f' and {len(several) - 1} more' if len(several) > 1 else ''} have {several[0].channels} "
            "channels, and a network of whole volumes sees one: it is not clear which. Name one with --channels 0.",
            "E_CHANNELS",
        )


def assign_rows(job: Job[Any], unit: Unit) -> Outcome:
    """Assign every volume its row, and create the array."""
    check_one_channel(job)
    outcome = Outcome()
    root = job.folder.samples
    grid = job.settings.grid(list(job.slides.values()))
    with outcome.clock("write"):
        attributes = {"slides": list(job.slides), "grid": asdict(grid)}
        write_json(root / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": attributes})
        StoredArray.create(root / "patches", _spec(job, len(job.slides)))
        outcome.files += [written(root / "zarr.json"), written(root / "patches" / "zarr.json")]
    outcome.facts["shape"] = list(grid.shape)
    outcome.notices += notices_of(job)
    return outcome


def prepare_volume(job: Job[Any], unit: Unit) -> Outcome:
    """Mask one volume, or its harmonized version, scale its intensities, resample it to the grid and write its row.

    The mask is that of the volume itself in both cases.
    """
    outcome = Outcome()
    record, rows = job.slides[unit.slide], assigned_rows(job)
    with outcome.clock("read"):
        values = values_of(job, unit.slide)
        mask = mask_of(job, record)
    with outcome.clock("compute"):
        cells, ends = prepared(values, mask, record.frame, grid_of(job), pose_of(job, values, record))
    with outcome.clock("write"):
        array = StoredArray(job.folder.samples / "patches", _spec(job, len(rows)))
        row = rows.index(unit.slide)
        outcome.files.append(array.write(Box((row, 0, 0, 0, 0), (row + 1, 1, *cells.shape)), cells[None, None]))
    outcome.facts.update(pixels=values.size, low=float(ends[0]), high=float(ends[1]))
    return outcome


def new(job: Job[Any], record: ImageRecord, volume: Source) -> Array:
    """A volume from outside the run, prepared as the run's own volumes are: uint16 (1, 1, z, y, x)."""
    values = volume.read(volume.frames[0].box)[0]
    mask = _head(values, record) if job.settings.mask == "head" else mask_of(job, record)
    cells, _ = prepared(values, mask, record.frame, grid_of(job), pose_of(job, values, record))
    return cells[None, None]


def pose_of(job: Job[Any], values: Array, record: ImageRecord) -> Pose | None:
    """The volume's alignment to the template of the settings; None where none is asked for."""
    if job.settings.align == "none":
        return None
    from .align import pose_on

    return pose_on(to_path(job.settings.template), values, record.frame, job.settings.align, record.placement)
