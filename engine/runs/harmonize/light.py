"""light: fits the light generator of one source site: a tone, a network that adapts it to each volume, and a sharpener."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ....models.harmonization.blur import mean_spectrum, relative_blur
from ....models.harmonization.measures import Measures
from ....stores.frame import Array
from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import checkpoint_slot, device_of, save_model
from .documents import LightRecord
from .light_generator import LightGenerator
from .measure import measures_of
from .pieces import Pieces
from .settings import HarmonizeSettings
from .sites import sites_of
from .toned import toned

SHIFT_STEPS, SHARPEN_STEPS = 800, 400
BATCH = 4
PER_IMAGE = 4
"""Pieces of each image whose spectra are compared."""
TOP_PERCENTILE = 99.9
TOPS = {2: 1.0, 3: 1.8}
"""Axes -> end of the curve in the generator's units."""


def light_units(job: Job[HarmonizeSettings], step: str) -> Iterator[Unit]:
    """One unit for each source site."""
    for name in light_names(job):
        yield Unit(step, name)


def light_names(job: Job[HarmonizeSettings]) -> dict[str, str]:
    """Model -> source site."""
    return {f"light-{i}": site for i, site in enumerate(sites_of(job).sources, 1)}


def train_light(job: Job[HarmonizeSettings], unit: Unit) -> Outcome:
    """Fit the light generator of one site."""
    import torch

    from ....models.networks.sharpener import Sharpener
    from ....models.seeds import generator
    from ....models.training.sharpening import Sharpening
    from ....models.training.shift import ShiftTraining
    from ....models.training.tone_fit import fit_tone
    from ...compute.fit import fit

    outcome = Outcome()
    settings, sites = job.settings, sites_of(job)
    site = light_names(job)[unit.name]
    axes = settings.network_axes
    progress = ProgressFile(job.folder.out)
    torch.set_num_threads(settings.threads)
    with outcome.clock("read"):
        images = {part: [measures_of(job, i) for i in sites.fitted(part)] for part in (site, sites.target)}
        source = Pieces(job, sites.fitted(site), settings.piece_side, axes, f"pieces/{site}")
        target = Pieces(job, sites.fitted(sites.target), settings.piece_side, axes, f"pieces/{sites.target}")
    with outcome.clock("compute"):
        tone, distances = fit_tone(images[site], images[sites.target], TOPS[axes])
        history: list[dict[str, Any]] = []
        light = LightGenerator(tone, None, None)
        if axes == 3 and len(tone.before) == 1:
            shift = ShiftTraining(tone, images[sites.target], _steps(SHIFT_STEPS, settings.effort), settings.seed)
            slot = checkpoint_slot(job, unit.step, f"{unit.name}-shift")
            history += fit(shift, slot, threads=settings.threads, progress_file=progress)
            light = LightGenerator(tone, shift.network.eval(), None)
        spectra = (mean_spectrum(_pieces_of(source, light, images[site])), mean_spectrum(_pieces_of(target, None, ())))
        blur = relative_blur(*spectra, settings.piece_side)
        network = Sharpener(
            source.channels, axes, settings.first_width, blur.smooths, generator(settings.seed, "sharpener")
        ).to(device_of(job))
        sharpening = Sharpening(
            network,
            partial(_drawn, target),
            blur,
            _steps(SHARPEN_STEPS, settings.effort),
            data_range=_range_of(images[sites.target]),
            seed=settings.seed,
        )
        slot = checkpoint_slot(job, unit.step, f"{unit.name}-sharpen")
        history += fit(sharpening, slot, threads=settings.threads, progress_file=progress)
        light = LightGenerator(tone, light.shift, network.eval())
    with outcome.clock("write"):
        record = partial(
            LightRecord,
            site=site,
            history=tuple(history),
            distances=tuple(distances),
            variances=blur.variances,
            noise=blur.noise,
            images=(len(images[site]), len(images[sites.target])),
        )
        outcome.files += save_model(job, unit.name, light, record)
        for part in ("shift", "sharpen"):
            checkpoint_slot(job, unit.step, f"{unit.name}-{part}").path.unlink(missing_ok=True)
    outcome.facts.update(steps=sharpening.steps, loss=history[-1]["loss"])
    return outcome


def _steps(steps: int, effort: float) -> int:
    return max(10, round(steps * effort))


def _range_of(images: Sequence[Measures]) -> float:
    """The range of values: mean over images of the 99.9th percentile of those that were measured."""
    tops = [np.percentile(m.values[m.counts > 0], TOP_PERCENTILE) for m in images]
    return float(np.mean(tops))


def _drawn(pieces: Pieces, index: int) -> Any:
    import torch

    values, masks, _ = pieces.draw(index, BATCH)
    return torch.from_numpy(values), torch.from_numpy(masks)


def _pieces_of(pieces: Pieces, light: LightGenerator | None, measures: Sequence[Measures]) -> Iterator[Array]:
    """Pieces of every image, one channel after the other, with the tone of `light`, if there is one."""
    for n, image in enumerate(pieces.images):
        shift = light.shift_of(measures[n]) if light else None
        for i in range(PER_IMAGE):
            box = pieces.box(i, image)
            values, mask = pieces.read(image, box)
            if light is not None:
                values = toned(light.tone, values, box, measures[n], shift)
            yield from values * mask
