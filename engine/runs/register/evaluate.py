"""evaluate: landmarks of registered sections against those of the reference; they judge, and no registration sees them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....models.evaluation.landmarks import evaluate_landmarks
from ....stores.array import written
from ....stores.frame import Array
from ....stores.remote import to_path
from ....stores.warps.points import read_points, to_pixels, to_um
from ....stores.warps.stored import read_warp
from ...pipeline.job import Job
from ...pipeline.record import SectionFile
from ...pipeline.unit import Outcome, Unit
from .documents import EVALUATION, Evaluation, PairFigures
from .settings import RegisterSettings


def evaluate_pairs(job: Job[RegisterSettings], unit: Unit) -> Outcome:
    """Write evaluation.json: the distances of landmarks, before and after, of each pair that has any."""
    outcome = Outcome()
    pairs: dict[str, PairFigures] = {}
    with outcome.clock("compute"):
        for image, record in job.slides.items():
            for section in record.moving:
                if section.landmarks and record.reference.landmarks:
                    pairs[f"{image}/{section.id}"] = _figures(job, image, section)
        document = Evaluation(pairs=pairs, all=_over_pairs(list(pairs.values())))
    with outcome.clock("write"):
        job.folder.write(EVALUATION, document.model_dump(mode="json"))
        outcome.files.append(written(job.folder.out / f"{EVALUATION}.json"))
    outcome.facts["pairs"] = len(pairs)
    return outcome


def _figures(job: Job[RegisterSettings], image: str, section: SectionFile) -> PairFigures:
    record = job.slides[image]
    own, other = (read_points(to_path(one.landmarks)).points for one in (record.reference, section))
    count = min(len(own), len(other))
    frames = [one.frame for one in (record.reference, section)]
    moving = to_um(other[:count], frames[1])
    warp = read_warp(job.folder.transform(image, section.id))
    start, end = to_pixels(moving, frames[0]), to_pixels(warp.to_reference(moving), frames[0])
    found = np.isfinite(end).all(1)
    shape = frames[0].shape
    before, after = (
        evaluate_landmarks(points, own[:count], shape) for points in (start, np.where(found[:, None], end, start))
    )
    return PairFigures(
        block=record.name,
        stain=section.stain,
        landmarks=count,
        unmatched=abs(len(own) - len(other)),
        lost=int((~found).sum()),
        before=before.figures,
        after=after.figures,
        robustness=float((after.distances < before.distances).mean()),
    )


def _over_pairs(pairs: list[PairFigures]) -> dict[str, Any]:
    if not pairs:
        return {}
    medians, means, largest = (_column(pairs, name) for name in ("median", "mean", "max"))
    return {
        "mean_of_medians": float(medians.mean()),
        "median_of_medians": float(np.median(medians)),
        "mean_of_means": float(means.mean()),
        "max": float(largest.max()),
        "robustness": float(np.mean([float(pair.robustness or 0) for pair in pairs])),
    }


def _column(pairs: list[PairFigures], name: str) -> Array:
    return np.array([float(pair.after[name] or 0) for pair in pairs])
