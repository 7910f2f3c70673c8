"""evaluate: landmarks of registered sections against those of the reference; they judge, and no registration sees them."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from ....models.evaluation.landmarks import MIN_LANDMARKS, LandmarkErrors, affine_oracle, landmark_errors, pairs_errors
from ....stores.array import written
from ....stores.remote import to_path
from ....stores.warps.points import read_points, to_pixels, to_um
from ....stores.warps.stored import read_warp
from ...pipeline.job import Job
from ...pipeline.record import SectionFile
from ...pipeline.unit import Outcome, Unit
from .documents import EVALUATION, AllFigures, Evaluation, PairFigures
from .settings import RegisterSettings


def evaluate_pairs(job: Job[RegisterSettings], unit: Unit) -> Outcome:
    """Write evaluation.json: the distances of landmarks, before and after, of each pair that has any."""
    outcome = Outcome()
    pairs: dict[str, PairFigures] = {}
    errors: list[LandmarkErrors] = []
    with outcome.clock("compute"):
        for image, record in job.slides.items():
            for section in record.moving:
                if section.landmarks and record.reference.landmarks:
                    pairs[f"{image}/{section.id}"], found = _figures(job, image, section)
                    errors.append(found)
        whole = AllFigures(**asdict(pairs_errors(errors))) if errors else None
        document = Evaluation(pairs=pairs, all=whole)
    with outcome.clock("write"):
        job.folder.write(EVALUATION, document.model_dump(mode="json"))
        outcome.files.append(written(job.folder.out / f"{EVALUATION}.json"))
    outcome.facts["pairs"] = len(pairs)
    return outcome


def _figures(job: Job[RegisterSettings], image: str, section: SectionFile) -> tuple[PairFigures, LandmarkErrors]:
    record = job.slides[image]
    own, other = (read_points(to_path(one.landmarks)).points for one in (record.reference, section))
    count = min(len(own), len(other))
    reference = record.reference.frame
    moving = to_um(other[:count], section.frame)
    warp = read_warp(job.folder.transform(image, section.id))
    start, end = to_pixels(moving, reference), to_pixels(warp.to_reference(moving), reference)
    found = np.asarray(np.isfinite(end).all(axis=1))
    shape = (reference.shape[0], reference.shape[1])
    errors = landmark_errors(own[:count], start, np.where(found[:, None], end, start), shape)
    oracle = None
    if count >= MIN_LANDMARKS:
        oracle = landmark_errors(own[:count], start, affine_oracle(start, own[:count]), shape).median
    figures = {name: value for name, value in asdict(errors).items() if name != "count"}
    return (
        PairFigures(
            block=record.name,
            stain=section.stain,
            landmarks=count,
            unmatched=abs(len(own) - len(other)),
            lost=int((~found).sum()),
            affine_oracle=oracle,
            **figures,
        ),
        errors,
    )
