"""train: trains what the setting `generator` names."""

from __future__ import annotations

from collections.abc import Iterator

from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from .gan import GAN, train_gan
from .light import light_units, train_light
from .notices import left_out_notices, training_note
from .settings import HarmonizeSettings


def training_units(job: Job[HarmonizeSettings], step: str) -> Iterator[Unit]:
    """One unit for each source site's light generator, or one for the CycleGAN of all."""
    if job.settings.generator == "light":
        yield from light_units(job, step)
    else:
        yield Unit(step, GAN)


def train_generator(job: Job[HarmonizeSettings], unit: Unit) -> Outcome:
    """Train one generator; the first one's outcome says who takes part."""
    outcome = train_light(job, unit) if job.settings.generator == "light" else train_gan(job, unit)
    if unit == next(training_units(job, unit.step)):
        outcome.notes.append(training_note(job))
        outcome.notices += left_out_notices(job)
    return outcome
