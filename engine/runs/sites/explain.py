"""explain: layers/gradcam of each volume: where the network that did not see its subject finds the site that it names.

Evidence is computed in cells of 2**blocks voxels of the prepared grid (`steps/volumes/map_layer.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ....errors import SlideError
from ....stores.frame import Array, Frame
from ...pipeline.job import Job
from ...pipeline.record import ImageRecord
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import device_of
from ...steps.convert.tissue import tissue
from ...steps.volumes.dataset import Volumes
from ...steps.volumes.map_layer import map_frame, map_to_grid, write_map
from ...steps.volumes.mask import given_mask_on
from .folds import fold_by_image, fold_of
from .networks import load_network
from .settings import SitesSettings

GRADCAM = "gradcam"
"""Name of the step and of the layer."""


def explained_units(job: Job[SitesSettings], step: str) -> Iterator[Unit]:
    """One unit for each volume that a network judges."""
    if job.settings.gradcam:
        for image in fold_by_image(job):
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
        frame, matrix = map_frame(record), map_to_grid(job, record)
    with outcome.clock("compute"):
        torch.set_num_threads(job.settings.threads)
        evidence, logits = evidence_maps(network, to_float(cells).to(device_of(job)))
        heat = spread(evidence[0], 2 ** len(network.blocks), matrix, frame.shape)
    outcome.facts |= {"named": int(logits[0].argmax()), "head": _share(heat, tissue(job, unit.slide).values)}
    outcome.facts["brain"] = _in_brain(job, record, frame, heat, outcome)
    with outcome.clock("write"):
        outcome.files += write_map(job, unit.slide, GRADCAM, heat[None], {"unit": "logit"})
    return outcome


def prepared_cells(job: Job[SitesSettings], image: str) -> Array:
    """A volume as the network sees it, uint16 (1, 1, z, y, x)."""
    return Volumes(job, np.array([list(job.slides).index(image)]))[np.zeros(1, np.int64)]


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
