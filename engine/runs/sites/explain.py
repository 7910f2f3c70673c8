"""explain: layers/gradcam of each volume: where the network that did not see its subject finds the site that it names.

The layer lies on the frame of labels/tissue, so that every reader finds it in register with the volume: evidence is computed in
cells of the prepared grid, and interpolated once to the volume's own grid.

```text
volume's frame --grid_to_volume^-1--> voxels of the prepared grid --/ 2**blocks--> cells of the evidence
```
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ....errors import SlideError
from ....stores.array import Written
from ....stores.downsample import halve
from ....stores.frame import Array, Frame
from ....stores.image import ImageSpec, StoredImage, halving, pyramid
from ....stores.shard import Codec
from ...pipeline.job import Job
from ...pipeline.record import ImageRecord
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import device_of
from ...steps.convert.geometry import coarse, reference_of
from ...steps.convert.tissue import tissue
from ...steps.volumes.dataset import Volumes, grid_of
from ...steps.volumes.grid import grid_to_volume
from ...steps.volumes.mask import given_mask_on, mask_of
from ...steps.volumes.prepare import pose_of
from .folds import fold_of
from .networks import load_network
from .settings import SitesSettings

GRADCAM = "gradcam"
"""Name of the step and of the layer."""
DTYPE = "float32"


def explained_units(job: Job[SitesSettings], step: str) -> Iterator[Unit]:
    """One unit for each volume that a network judges."""
    if job.settings.gradcam:
        for image in job.slides:
            if fold_of(job, image):
                yield Unit(step, f"{image}/{step}", image)


def explain_volume(job: Job[SitesSettings], unit: Unit) -> Outcome:
    """Map the evidence for the site that is named for one volume."""
    import torch

    from ....models.explanation.gradcam import evidence_maps, spread
    from ....models.networks.autoencoder import to_float

    outcome = Outcome()
    record = job.slides[unit.slide]
    with outcome.clock("read"):
        network = load_network(job, fold_of(job, unit.slide)).to(device_of(job))
        cells = prepared_cells(job, unit.slide)
        frame = record.frame.coarsen(coarse(record.frame))
        matrix = np.linalg.inv(_grid_of_volume(job, record)) @ _edges_of(frame)
    with outcome.clock("compute"):
        torch.set_num_threads(job.settings.threads)
        evidence, logits = evidence_maps(network, to_float(cells).to(device_of(job)))
        heat = spread(evidence[0], 2 ** len(network.blocks), matrix, frame.shape)
    outcome.facts |= {"named": int(logits[0].argmax()), "head": _share(heat, tissue(job, unit.slide).values)}
    outcome.facts["brain"] = _in_brain(job, record, frame, heat, outcome)
    with outcome.clock("write"):
        outcome.files += write_map(job, unit.slide, heat, frame)
    return outcome


def prepared_cells(job: Job[SitesSettings], image: str) -> Array:
    """A volume as the network sees it, uint16 (1, 1, z, y, x)."""
    return Volumes(job, np.array([list(job.slides).index(image)]))[np.zeros(1, np.int64)]


def write_map(job: Job[Any], image: str, heat: Array, frame: Frame) -> list[Written]:
    """Write evidence on a frame as the image's layer, with coarser levels."""
    record, cut = job.slides[image], job.modality.cut
    frames = pyramid(frame, longest=cut.longest)
    stored = StoredImage.create(
        job.folder.layer(image, GRADCAM), ImageSpec(frames, 1, DTYPE, *cut.labels, codec=Codec("zstd"))
    )
    files, values = [], heat[None]
    for level, on in enumerate(frames):
        for box in on.box.cut(stored.shard(level)):
            files.append(stored.write(level, box, values[(slice(None), *box.slices)]))
        values = halve(values, halving(on)).astype(DTYPE)
    return files + stored.finish(
        name=GRADCAM, reference=reference_of(record.frame), placement=record.placement, notes={"unit": "logit"}
    )


def _grid_of_volume(job: Job[SitesSettings], record: ImageRecord) -> Array:
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


def _share(heat: Array, mask: Array) -> float | None:
    """Share of the map's mass inside a mask; None where the map is empty."""
    total = float(heat.sum(dtype=np.float64))
    return float(heat[mask].sum(dtype=np.float64)) / total if total else None


def _in_brain(job: Job[Any], record: ImageRecord, frame: Frame, heat: Array, outcome: Outcome) -> float | None:
    """Share of the map inside the brain; None where no mask of it is known, or its file cannot be read."""
    try:
        brain = given_mask_on(job, record, frame.shape)
    except SlideError as error:
        outcome.notices.append(f"the mask that the list names cannot be read, so no share inside it is given: {error}")
        return None
    return None if brain is None else _share(heat, brain)
