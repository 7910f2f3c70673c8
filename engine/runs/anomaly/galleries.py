"""galleries: the images least and most like those that were trained on, each with a map of where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....stores.frame import Array
from ...pipeline.job import Job
from ...show.film_gallery import ShownFilm, film_gallery
from ...steps.checkpoints import device_of
from .medium import Figure
from .score_names import SHOWN, called
from .spotters import load_spotters

SHOWN_IMAGES = 16
"""Images of a gallery."""


def worst_and_best(
    job: Job[Any], values: Array, shown: Callable[[Array], list[ShownFilm]], *, seen: str
) -> dict[str, Figure]:
    """The galleries `worst` and `best` of images by their score (n,); `shown` gives some of them as a gallery has them."""
    order = np.argsort(-values, kind="stable")
    figures = {}
    for name, which, rows in (("worst", "Least", order), ("best", "Most", order[::-1])):
        title = f"{which} like the {seen} that were trained on"
        path = film_gallery(
            job.folder.out / "maps" / f"{name}.png", shown(rows[:SHOWN_IMAGES]), title=f"{title}: {called(SHOWN)}"
        )
        figures[name] = Figure(path, f"{title}, first: score and label")
    return figures


def with_evidence(job: Job[Any], images: Array, seen: Array, lines: Sequence[tuple[str, ...]]) -> list[ShownFilm]:
    """Images (n, C, side, side) as a gallery has them, with where the networks find anomalies in what they see of each."""
    import torch

    from ....models.anomaly.spots import spot_maps

    if not len(images):
        return []
    torch.set_num_threads(job.settings.threads)
    networks = [network.to(device_of(job)) for network in load_spotters(job)[0]]
    evidence = np.concatenate([maps for _, maps in spot_maps(networks, seen)])
    pictures = [picture_of(image) for image in images]
    return [ShownFilm(*one) for one in zip(pictures, lines, evidence, strict=True)]


def picture_of(image_CYX: Array) -> Array:
    """8-bit pixels of an image: (y, x, 3) of its first three channels, or (y, x) of its first one."""
    if image_CYX.dtype != np.uint8:
        top = max(float(np.percentile(image_CYX, 99.8)), 1.0)
        image_CYX = (image_CYX / top * 255).clip(0, 255).astype(np.uint8)
    return image_CYX[:3].transpose(1, 2, 0) if len(image_CYX) >= 3 else image_CYX[0]
