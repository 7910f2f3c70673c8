"""check_maps: whether the maps say what decides: random weights, and deletion, on a few volumes of each site."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ....stores.frame import Array
from ....stores.receipts import Ledger
from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import device_of, write_document
from .documents import EXPLANATIONS, Checked, Explained, Explanations
from .explain import GRADCAM, explained_units, prepared_cells
from .folds import cohort_of, fold_by_image
from .networks import load_network
from .settings import SitesSettings

if TYPE_CHECKING:
    from torch import Tensor

    from ....models.networks.classifier import Classifier

MOST_CHECKED = 12
"""Images whose maps are checked, at most: each costs some twenty passes of the network."""


def check_maps(job: Job[SitesSettings], unit: Unit) -> Outcome:
    """Write models/explanations.json."""
    import torch
    from threadpoolctl import threadpool_limits

    from ....models.explanation.checks import SHARES
    from ....models.networks.autoencoder import to_float

    outcome = Outcome()
    checks = []
    with outcome.clock("compute"), threadpool_limits(1):  # the last digits depend on the threads
        torch.set_num_threads(job.settings.threads)
        device, chosen, folds = device_of(job), checked_images(job), fold_by_image(job)
        for number, image in enumerate(chosen, 1):
            network = load_network(job, folds[image]).to(device)
            checks.append(checked(image, network, to_float(prepared_cells(job, image))[0].to(device)))
            ProgressFile(job.folder.out).tell("check maps", number, len(chosen), {})
    document = Explanations(shares=SHARES, maps=tuple(explained(job)), checks=tuple(checks))
    with outcome.clock("write"):
        outcome.files.append(write_document(job, EXPLANATIONS, document))
    return outcome


def checked_images(job: Job[Any]) -> list[str]:
    """The images to check: of each site in turn, in the order of the run."""
    sites = cohort_of(job).sites
    images = list(fold_by_image(job)) if job.settings.gradcam else []
    rows = {image: int(sites[row]) for row, image in enumerate(job.slides)}
    turns: dict[int, int] = {}
    keys = {}
    for image in images:
        turns[rows[image]] = turns.get(rows[image], 0) + 1
        keys[image] = (turns[rows[image]], rows[image])
    return sorted(sorted(images, key=lambda image: keys[image])[:MOST_CHECKED], key=images.index)


def checked(image: str, network: Classifier, image_CZYX: Tensor, *, fill: float = 0.0) -> Checked:
    """Both checks of one image, as the network sees it; what is deleted becomes `fill`."""
    from ....models.explanation.checks import deletion_curve, random_order, randomised_likeness
    from ....models.explanation.gradcam import evidence_maps, spread

    evidence, logits = evidence_maps(network, image_CZYX[None])
    side, axes, target = 2 ** len(network.blocks), network.axes, int(logits[0].argmax())
    inside: Array = (image_CZYX != 0).any(0).cpu().numpy() if network.masked else np.ones(image_CZYX.shape[1:], bool)
    order = np.where(inside, spread(evidence[0], side, np.eye(axes + 1), inside.shape), -1.0)
    orders = (order, random_order(inside, side))
    curves = [deletion_curve(network, image_CZYX, by, target, fill=fill) for by in orders]
    likeness = randomised_likeness(network, image_CZYX)
    return Checked(image=image, **likeness, deleted=tuple(curves[0]), random=tuple(curves[1]))


def explained(job: Job[Any]) -> list[Explained]:
    """What the receipts of the maps say, image by image."""
    out = []
    for unit in explained_units(job, GRADCAM):
        receipt = Ledger(job.folder.out, GRADCAM, job.ledger_key(GRADCAM, unit.slide)).find(unit.name)
        facts = receipt.facts if receipt else {}
        out.append(Explained(image=unit.slide, head=facts.get("head"), brain=facts.get("brain")))
    return out


def mean_of(values: list[Any]) -> float:
    """Mean of the numbers among values; nan without any."""
    numbers = [float(v) for v in values if v is not None and math.isfinite(v)]
    return float(np.mean(numbers)) if numbers else math.nan
