"""textures: the intensities and the texture of each image, which the baseline names the site by."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....stores.frame import Array
from ....stores.receipts import Ledger
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.volumes.dataset import Volumes
from .settings import SitesSettings

TEXTURE = "texture"
"""Name of the step; its receipts hold the features."""


def measure_texture(job: Job[SitesSettings], unit: Unit) -> Outcome:
    """Measure the intensities and the texture of one prepared volume; the receipt holds them."""
    from threadpoolctl import threadpool_limits

    from ....models.evaluation.texture import intensity_features, structure_features

    outcome = Outcome()
    with outcome.clock("read"):
        cells = Volumes(job, np.array([list(job.slides).index(unit.slide)]))[np.zeros(1, np.int64)][0, 0]
    with outcome.clock("compute"), threadpool_limits(1):  # the last digits depend on the threads
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
