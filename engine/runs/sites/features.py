"""features: what each network's last layer sees of every volume, and the intensities and texture of each volume.

The features of a network serve its predictions and the shuffled controls; intensities and texture are the baseline.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....stores.frame import Array
from ....stores.receipts import Ledger
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import device_of
from ...steps.volumes.dataset import Volumes
from .networks import load_network
from .rows import store_features
from .settings import SitesSettings
from .volumes import SEEN

TEXTURE = "texture"
"""Name of the step; its receipts hold the features."""


def write_features(job: Job[SitesSettings], unit: Unit) -> Outcome:
    """Compute the features of all volumes by one network."""
    import torch

    from ....models.training.classification import features_of

    outcome = Outcome()
    with outcome.clock("read"):
        network = load_network(job, unit.name).to(device_of(job))
    with outcome.clock("compute"):
        torch.set_num_threads(job.settings.threads)
        features = features_of(network, Volumes(job), SEEN)
    with outcome.clock("write"):
        outcome.files += store_features(job, unit.name, features)
    return outcome


def measure_texture(job: Job[SitesSettings], unit: Unit) -> Outcome:
    """Measure the intensities and the texture of one prepared volume; the receipt holds them."""
    from ....models.evaluation.texture import intensity_features, structure_features

    outcome = Outcome()
    with outcome.clock("read"):
        cells = Volumes(job, np.array([list(job.slides).index(unit.slide)]))[np.zeros(1, np.int64)][0, 0]
    with outcome.clock("compute"):
        values, mask = cells.astype(np.float32) / 65535, cells > 0
        outcome.facts["intensity"] = intensity_features(values, mask).tolist()
        outcome.facts["structure"] = structure_features(values, mask).tolist()
    return outcome


def textures(job: Job[Any]) -> Array:
    """Intensities and texture of every image in use, float64 (n, F), from the receipts of `TEXTURE`."""
    rows = []
    for image in job.slides:
        receipt = Ledger(job.folder.out, TEXTURE, job.ledger_key(TEXTURE, image)).find(f"{image}/{TEXTURE}")
        if receipt is None:
            raise RuntimeError(f"the step {TEXTURE!r} left no receipt for {image}")
        rows.append([*receipt.facts["intensity"], *receipt.facts["structure"]])
    return np.array(rows, np.float64)
