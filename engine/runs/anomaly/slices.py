"""slices: every axial slice of a volume, scored, and layers/anomaly of the volume: where networks find an anomaly, and what the
autoencoder draws otherwise.

A unit's receipt holds the scores of the slices; those that show nothing have none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....stores.frame import Array
from ....stores.receipts import Ledger
from ...compute.gpu_stream import gpu_errors
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.volumes.dataset import Volumes, grid_of
from ...steps.volumes.map_layer import map_frame, map_to_grid, write_map
from .networks import networks_of, properties_of
from .score_names import PROPERTIES, QUICK_NAMES
from .settings import VolumeAnomalySettings

SCORES, LAYER = "scores", "anomaly"
"""Names of the step and of the layer."""
CHANNELS = ("evidence", "error")
SHOWN_SHARE = 0.05
"""Share of a slice that shows something, from which it is learned and scored."""


def slices_of(job: Job[Any], image: str) -> tuple[Array, Array]:
    """(slices of a prepared volume that show something, uint8 (n, 1, side, side); their places along z (n,)).

    Of a volume without such a slice, all.
    """
    cells = Volumes(job, np.array([list(job.slides).index(image)]))[np.zeros(1, np.int64)][0, 0]
    at = np.flatnonzero((cells > 0).mean((1, 2)) >= SHOWN_SHARE)
    at = at if len(at) else np.arange(len(cells))
    return (cells[at, None] / 257.0 + 0.5).astype(np.uint8), at


def score_volume(job: Job[VolumeAnomalySettings], unit: Unit) -> Outcome:
    """Score the slices of one volume, and map where."""
    import torch

    from ....models.anomaly.evidence import Draws, error_maps
    from ....models.anomaly.spots import spot_maps
    from ....models.explanation.gradcam import spread

    outcome, record, settings = Outcome(), job.slides[unit.slide], job.settings
    with outcome.clock("read"):
        slices, at = slices_of(job, unit.slide)
        networks, matrix, frame = networks_of(job), map_to_grid(job, record), map_frame(record)
    with outcome.clock("compute"), gpu_errors():
        torch.set_num_threads(settings.threads)
        values = networks.scores(slices, Draws(settings.draws, settings.seed, shared=True)) | properties_of(slices)
        cells = np.zeros((len(CHANNELS), *grid_of(job).shape), np.float32)
        for channel, parts in enumerate((spot_maps(networks.spotters, slices), error_maps(networks.vae, slices))):
            for rows, maps in parts:
                cells[channel, at[rows]] = maps
        layer = np.stack([spread(channel, 1, matrix, frame.shape) for channel in cells])
    outcome.facts |= {"slices": at.tolist(), **{name: each.tolist() for name, each in values.items()}}
    with outcome.clock("write"):
        outcome.files += write_map(job, unit.slide, LAYER, layer, {"channels": list(CHANNELS)})
    return outcome


@dataclass(frozen=True, slots=True)
class ScoredSlices:
    """The slices of one volume."""

    at: Array
    """Place along z (n,)."""
    values: dict[str, Array]
    """Score or property -> (n,)."""


def scored_slices(job: Job[Any], image: str) -> ScoredSlices:
    """The scored slices of a volume, from its receipt."""
    receipt = Ledger(job.folder.out, SCORES, job.ledger_key(SCORES, image)).find(f"{image}/{SCORES}")
    if receipt is None:
        raise RuntimeError(f"the step {SCORES!r} left no receipt for {image}")
    values = {name: np.array(receipt.facts[name], np.float64) for name in (*QUICK_NAMES, *PROPERTIES)}
    return ScoredSlices(np.array(receipt.facts["slices"]), values)
