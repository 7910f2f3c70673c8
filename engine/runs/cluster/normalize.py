"""normalize: chooses the slide that the stains of all others are normalised to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ....errors import SettingsError
from ....models.stains import MIN_TISSUE_MM2
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from ...steps.normalization import TARGET, StainTarget
from ...steps.stain import is_coloured, slide_stain
from .settings import ClusterSettings


def target_units(job: Job[ClusterSettings], step: str) -> Iterator[Unit]:
    """One unit, where stains are normalised."""
    if job.settings.normalize != "none":
        yield Unit(step, step)


def check_coloured(job: Job[Any]) -> None:
    """Raises SettingsError (E_STAINS) where no slide can have a stain to normalise to, before any work."""
    if job.settings.normalize != "none" and job.slides and not any(map(is_coloured, job.slides.values())):
        raise _nothing_to_normalise(job.settings.normalize)


def choose_target(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Write the profile of the slide that is nearest to all others of the largest group of slides stained alike.

    Raises SettingsError (E_STAINS) where no slide has a stain that can be told.
    """
    from ....models.stains.alike import central_slide, stain_groups

    outcome = Outcome()
    with outcome.clock("read"):
        profiles = [slide_stain(job, slide) for slide in job.slides]
    with outcome.clock("compute"):
        index = central_slide(stain_groups(profiles))
    profile = None if index is None else profiles[index]
    if index is None or profile is None:
        raise _nothing_to_normalise(job.settings.normalize)
    target = StainTarget.model_validate(
        {
            "method": job.settings.normalize,
            "slide": list(job.slides.values())[index].name,
            "vectors": profile.basis.vectors.tolist(),
            "strengths": profile.basis.strengths.tolist(),
            "mean": profile.colours.mean.tolist(),
            "spread": profile.colours.spread.tolist(),
        }
    )
    with outcome.clock("write"):
        outcome.files.append(write_document(job, TARGET, target))
    outcome.facts["unchanged"] = sum(profile is None for profile in profiles)
    return outcome


def _nothing_to_normalise(method: str) -> SettingsError:
    return SettingsError(
        f"--normalize {method}: no slide has a stain that can be told (8-bit colours, and {MIN_TISSUE_MM2:g} mm² of stained "
        "tissue), so there is nothing to normalise to. Leave it out, with --redo.",
        "E_STAINS",
    )
