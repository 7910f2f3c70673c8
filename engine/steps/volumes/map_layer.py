"""map_layer: maps on the prepared grid of volumes, written as layers that lie in register with each volume.

The layer lies on the frame of the volume's mask, so that every reader finds it in register with the volume: values of cells of
the prepared grid are interpolated once to the volume's own grid.

```text
volume's frame --grid_to_volume^-1--> voxels of the prepared grid --/ cell--> cells of the map
```
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ....stores.array import Written
from ....stores.downsample import halve
from ....stores.frame import Array, Frame
from ....stores.image import ImageSpec, StoredImage, halving, pyramid
from ....stores.shard import Codec
from ....stores.windows import windows_in_use
from ...pipeline.job import Job
from ...pipeline.record import ImageRecord
from ..convert.geometry import coarse, reference_of
from .dataset import grid_of
from .grid import grid_to_volume
from .mask import mask_of
from .prepare import pose_of

DTYPE = "float32"


def map_frame(record: ImageRecord) -> Frame:
    """The frame of a volume's maps: that of its mask."""
    return record.frame.coarsen(coarse(record.frame))


def map_to_grid(job: Job[Any], record: ImageRecord) -> Array:
    """4 x 4 from positions on the frame of a volume's maps, in its cells between their edges, to those on the prepared grid."""
    return np.asarray(np.linalg.inv(_grid_of_volume(job, record)) @ _edges_of(map_frame(record)))


def write_map(job: Job[Any], image: str, name: str, values: Array, notes: Mapping[str, Any]) -> list[Written]:
    """Write values (channel, z, y, x) on the frame of maps as the image's layer, with coarser levels."""
    record, cut = job.slides[image], job.modality.cut
    frames = pyramid(map_frame(record), longest=cut.longest)
    spec = ImageSpec(frames, len(values), DTYPE, *cut.labels, codec=Codec("zstd"))
    stored = StoredImage.create(job.folder.layer(image, name), spec)
    files = []
    for level, on in enumerate(frames):
        for box in on.box.cut(stored.shard(level)):
            files.append(stored.write(level, box, values[(slice(None), *box.slices)]))
        values = halve(values, halving(on)).astype(DTYPE)
    return files + stored.finish(
        name=name,
        reference=reference_of(record.frame),
        placement=record.placement,
        notes=notes,
        windows=windows_in_use(stored),
    )


def _grid_of_volume(job: Job[Any], record: ImageRecord) -> Array:
    """4 x 4 from positions on the prepared grid to micrometres of the volume's frame, as the volume was prepared."""
    grid = grid_of(job)
    aligned = job.settings.align != "none"
    pose = pose_of(job, job.stored(record.id).read(record.frame.box)[0], record) if aligned else None
    needs_mask = not grid.whole and pose is None
    mask = mask_of(job, record) if needs_mask else np.ones(record.shape, bool)
    return grid_to_volume(mask, record.frame, grid, pose)


def _edges_of(frame: Frame) -> Array:
    """4 x 4 from positions on a frame, in its cells between their edges, to micrometres."""
    out = np.diag([*frame.spacing, 1.0])
    out[:3, 3] = frame.origin
    return out
