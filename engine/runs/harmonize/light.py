"""light: fits the light generator of one source site: a tone, a network that adapts it to each volume, and a sharpener."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ....models.harmonization.blur import mean_spectrum, relative_blur
from ....models.harmonization.measures import Measures
from ....stores.frame import Array, Box
from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import checkpoint_slot, device_of, save_model
from .documents import LightRecord
from .light_generator import LightGenerator, shift_of
from .measure import measures_of
from .pieces import Pieces, pieces_of
from .settings import HarmonizeSettings
from .sites import check_sites, fitted_sources, sites_of
from .toned import toned

SHIFT_STEPS, SHARPEN_STEPS = 800, 400
SHARPEN_COST = 4e-4
"""Time of a step of the sharpener for each cell of a piece, in steps of the shift, as measured on a CPU: for the time left."""
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
    """Model -> source site, whatever images of the sites were rejected since the models were fitted."""
    return {f"light-{i}": site for i, site in enumerate(fitted_sources(job), 1)}


def light_of(job: Job[HarmonizeSettings], site: str) -> str:
    """The model of a source site."""
    return next(name for name, source in light_names(job).items() if source == site)


def train_light(job: Job[HarmonizeSettings], unit: Unit) -> Outcome:
    """Fit the light generator of one site."""
    import torch

    from ....models.networks.quantile_curve import quantiles
    from ....models.networks.sharpener import Sharpener
    from ....models.seeds import generator
    from ....models.training.sharpening import Sharpening
    from ....models.training.shift import ShiftTraining
    from ....models.training.tone_fit import fit_tone
    from ...compute.fit import fit

    outcome = Outcome()
    settings, sites = job.settings, sites_of(job)
    check_sites(job)  # images may have been rejected meanwhile
    site = light_names(job)[unit.name]
    axes = settings.network_axes
    out, shift_steps, sharpen_steps = job.folder.out, 0, _steps(SHARPEN_STEPS, settings.effort)
    shift_share = 0.0
    torch.set_num_threads(settings.threads)
    with outcome.clock("read"):
        images = {part: [measures_of(job, i) for i in sites.fitted(part)] for part in (site, sites.target)}
        source, target = pieces_of(job, (site, sites.target))
    with outcome.clock("compute"):
        tone, distances = fit_tone(images[site], images[sites.target], TOPS[axes])
        history: list[dict[str, Any]] = []
        adapting = None
        if axes == 3 and len(tone.before) == 1:
            shift_steps = _steps(SHIFT_STEPS, settings.effort)
            shift = ShiftTraining(tone, images[sites.target], shift_steps, settings.seed)
            slot = checkpoint_slot(job, unit.step, f"{unit.name}-shift")
            shift_share = shift_steps / (shift_steps + sharpen_steps * SHARPEN_COST * settings.piece_side**axes)
            progress = ProgressFile(out, after=sharpen_steps, work=(0.0, shift_share))
            history += fit(shift, slot, threads=settings.threads, progress_file=progress)
            adapting = shift.finished()

        def change(image: Measures, values: Array, box: Box) -> Array:
            return toned(tone, values, box, image, shift_of(adapting, image))

        spectra = [
            mean_spectrum(
                piece for values in _pieces(part, found, how) for piece in values.reshape(-1, *values.shape[2:])
            )
            for part, found, how in ((source, images[site], change), (target, images[sites.target], None))
        ]
        blur = relative_blur(spectra[0], spectra[1], settings.piece_side)
        network = Sharpener(
            source.channels, axes, settings.first_width, blur.smooths, generator(settings.seed, "sharpener")
        ).to(device_of(job))
        sharpening = Sharpening(
            network,
            partial(_drawn, target),
            blur,
            sharpen_steps,
            data_range=_range_of(images[sites.target]),
            seed=settings.seed,
        )
        slot = checkpoint_slot(job, unit.step, f"{unit.name}-sharpen")
        progress = ProgressFile(out, before=shift_steps, work=(shift_share, 1.0))
        history += fit(sharpening, slot, threads=settings.threads, progress_file=progress)
        light = LightGenerator(tone, adapting, network.cpu().eval())
        light.finish.fitted(
            quantiles([_sharp(light, values) for values in _pieces(source, images[site], change, masked=True)]),
            quantiles([_inside(values) for values in _pieces(target, images[sites.target], None, masked=True)]),
        )
    with outcome.clock("write"):
        record = partial(
            LightRecord,
            key=job.ledger_key(unit.step),
            held_out=tuple(sorted(sites.held_out)),
            why=sites.why,
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


Change = Callable[[Measures, Array, Box], Array]
"""(measures of an image, values of a box, the box) -> values."""


def _pieces(
    pieces: Pieces, measures: Sequence[Measures], change: Change | None, *, masked: bool = False
) -> Iterator[Array]:
    """Some pieces of every image (piece, C, *axes), image by image; `masked` puts NaN outside of the mask, else 0 is there."""
    for image, found in zip(pieces.images, measures, strict=True):
        parts = []
        for i in range(PER_IMAGE):
            box = pieces.box(i, image)
            values, mask = pieces.read(image, box)
            values = change(found, values, box) if change else values
            parts.append(np.where(mask > 0, values, np.nan if masked else 0.0).astype(np.float32))
        yield np.stack(parts)


def _sharp(light: LightGenerator, values: Array) -> Array:
    """Values inside the mask (C, n) behind the sharpener, of one image's pieces."""
    import torch

    with torch.inference_mode():
        sharp = light.sharpener(torch.from_numpy(np.nan_to_num(values))).numpy()
    return _inside(np.where(np.isnan(values), np.nan, sharp))


def _inside(values: Array) -> Array:
    """The values (C, n) of pieces (piece, C, *axes) that are not NaN."""
    cells = np.moveaxis(values, 1, 0).reshape(values.shape[1], -1)
    return cells[:, ~np.isnan(cells[0])]
