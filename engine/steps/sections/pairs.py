"""pairs: registers each section to the reference of its block; one unit a pair, so that a killed run loses one pair at most.

A pair whose field folds, or whose tissue is too little, costs itself: its document says why, and its section is background in
the stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ....stores.array import written
from ....stores.frame import Frame
from ....stores.warps.stored import write_warp
from ....stores.warps.warp import Warp, warp_of_pixels
from ...compute.machine import available_threads
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from .documents import PairRecord, StageRecord, pair_name
from .overviews import read_overview, section_of
from .settings import SectionSettings
from .taken import take_pair

if TYPE_CHECKING:
    from ....models.registration.transform import PairFit

FOLDS = "its field folds: the map is not one to one in {:.2%} of its cells"


def pair_units(job: Job[SectionSettings], step: str) -> Iterator[Unit]:
    """One unit for each section that is not its block's reference."""
    for image, record in job.slides.items():
        for section in record.moving:
            yield Unit(step, f"{image}/{section.id}", image)


def register_section(job: Job[SectionSettings], unit: Unit) -> Outcome:
    """Register one section to the reference of its block, and store the warp in micrometres and what was found."""
    from ....models.registration.fit import FitSettings, register_pair

    outcome = Outcome()
    record, section = job.slides[unit.slide], section_of(job, unit)
    taken, why = take_pair(job, unit.slide, section)
    outcome.files += taken
    outcome.notices += [why] if why else []
    if taken:
        return outcome
    with outcome.clock("read"):
        reference, frame = read_overview(job, unit.slide, record.reference)
        moving, moving_frame = read_overview(job, unit.slide, section)
    with outcome.clock("compute"):
        stiffness = FitSettings().stiffness if job.settings.nonrigid == "auto" else ()
        settings = FitSettings(side=job.settings.resolution, stiffness=stiffness, threads=available_threads())
        fit = register_pair(reference, moving, spacing=frame.spacing[0], settings=settings, seed=job.settings.seed)
        warp = _warp(fit, frame, moving_frame)
    stages = tuple(
        StageRecord(
            name=stage.name,
            accepted=stage.accepted,
            score_before=stage.score_before,
            score_after=stage.score_after,
            why=stage.why,
        )
        for stage in fit.stages
    )
    folding = warp.folding
    why = FOLDS.format(folding) if folding else "" if stages else "; ".join(fit.notes) or "nothing could be compared"
    found = PairRecord(
        block=record.name,
        reference=record.reference.stain,
        stain=section.stain,
        accepted=not why,
        why=why,
        moved=any(stage.accepted for stage in stages),
        channel=fit.channel,
        rotation=fit.rotation,
        flip=fit.flip,
        folding=folding,
        spacing=frame.spacing[0],
        stages=stages,
        notes=tuple(fit.notes),
    )
    with outcome.clock("write"):
        name = f"{record.name}: {record.reference.stain} to {section.stain}"
        path = job.folder.transform(unit.slide, section.id)
        outcome.files += write_warp(path, warp, name=name, accepted=found.accepted)
        document = pair_name(unit.slide, section.id)
        job.folder.write(document, found.model_dump(mode="json"))
        outcome.files.append(written(job.folder.out / f"{document}.json"))
    outcome.facts["fit_seconds"] = {stage.name: round(stage.seconds, 3) for stage in fit.stages}
    outcome.notices += _notices(found)
    outcome.notes += _notes(found)
    return outcome


def _warp(fit: PairFit, frame: Frame, moving: Frame) -> Warp:
    field = fit.field
    return warp_of_pixels(
        fit.affine,
        None if field is None else field.values,
        stride=1.0 if field is None else field.stride,
        origin=(0.0, 0.0) if field is None else field.origin,
        reference=frame,
        moving=moving,
    )


def _notices(pair: PairRecord) -> Iterator[str]:
    """What the user should know of a pair: that it was rejected, or is left as it lies."""
    if not pair.accepted:
        yield f"{pair.stain} is not registered to {pair.reference}, and is background in the stack: {pair.why}"
    elif not pair.moved:
        yield f"{pair.stain} is left as it lies on {pair.reference}: no stage was better on the tissue held out"


def _notes(pair: PairRecord) -> Iterator[str]:
    """What the user may want to know: stages that were rejected, and what the fit says."""
    said = [
        f"stage {stage.name} was rejected: {stage.why}" for stage in pair.stages if not stage.accepted and pair.moved
    ]
    for text in (*said, *pair.notes):
        yield f"{pair.stain} to {pair.reference}: {text}"
