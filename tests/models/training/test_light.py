"""The light generator's parts learn what was planted: a tone, the shift of single volumes, and sharpness."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from tile_engine.models.harmonization.blur import Blur
from tile_engine.models.harmonization.measures import Measures, measure
from tile_engine.models.networks.sharpener import Sharpener
from tile_engine.models.networks.tone import Tone
from tile_engine.models.training.phases import train_phase
from tile_engine.models.training.sharpening import Sharpening
from tile_engine.models.training.shift import ShiftTraining, shifts_of, top_of
from tile_engine.models.training.tone_fit import fit_tone
from tile_engine.stores.frame import Array

SHAPE = (40, 44, 36)


@cache
def person(seed: int) -> tuple[Array, Array]:
    """A ball with a texture of its own, values of 0.2 to 1, and its mask."""
    draw = np.random.default_rng(seed)
    at = np.meshgrid(*(np.linspace(-1.1, 1.1, n) for n in SHAPE), indexing="ij")
    mask = sum(a**2 for a in at) < 1 + 0.1 * draw.normal()
    texture = gaussian_filter(draw.normal(size=SHAPE), 2)
    return np.clip(0.6 + 0.2 * texture / texture.std(), 0.2, 1.0) * mask, mask


def scans(seeds: range, site: bool) -> list[Measures]:
    """Measured scans: at the site darker towards one end, and with another contrast."""
    out = []
    for seed in seeds:
        values, mask = person(seed)
        if site:
            z = np.linspace(-1, 1, SHAPE[0])[:, None, None]
            values = values**1.5 * np.exp(0.3 * z)
        out.append(measure((values * 500)[None].astype(np.float32), mask, (1, 1, 1)))
    return out


def test_a_tone_brings_the_distributions_together() -> None:
    tone, distances = fit_tone(scans(range(4), site=True), scans(range(4, 8), site=False))
    assert distances[-1] < 0.4 * distances[0]
    assert (tone.knots.diff() > 0).all()


def test_training_of_shifts_resumes_and_improves() -> None:
    whole, first, second = (ShiftTraining(Tone(), scans(range(4), site=False), 20) for _ in range(3))
    train_phase(whole)
    for index in range(8):
        first.step(index)
    second.load(first.state())
    train_phase(second, start=8)
    assert all(torch.equal(value, second.state()[name]) for name, value in whole.state().items())
    assert shifts_of(whole.network, scans(range(2), site=True)).shape == (2, 11)


def test_a_shift_is_trusted_as_far_as_it_is_right_for_people_kept_apart() -> None:
    training = ShiftTraining(Tone(), scans(range(5), site=False), 60)
    train_phase(training)
    trust = float(training.finished().trust)
    assert 0.3 < trust <= 1.0
    with torch.no_grad():
        training.network.network[-1].weight.neg_()  # now it says the opposite
        training.network.network[-1].bias.neg_()
    assert float(training.finished().trust) == 0.0
    assert not shifts_of(training.network, scans(range(2), site=True)).any()


def test_a_scan_through_a_shift_comes_back_with_the_gain_of_its_percentile() -> None:
    training = ShiftTraining(Tone(), scans(range(2), site=False), 1)
    shift = torch.zeros(2, 11)
    shift[:, -1] = 0.2  # an exponent: values below 1 rise where it is taken back
    source = training._source(torch.arange(2), shift)
    top = top_of(source, training._covered)
    shift[:, -2] = top.log()
    back = training.tone((source / top[:, None, None, None]).flatten(1)[:, None], training._terms, shift)
    covered = training._covered.flatten(1) > 0
    assert torch.allclose(back[:, 0][covered], training._pictures.flatten(1)[covered], rtol=5e-3)


def test_a_sharpener_takes_blur_back() -> None:
    def pieces(index: int) -> tuple[torch.Tensor, torch.Tensor]:
        values = np.stack([person(seed)[0][8:32, 8:32, 8:32] for seed in range(index % 3, index % 3 + 2)])
        aim = torch.from_numpy(values.astype(np.float32))[:, None]
        return aim, torch.ones_like(aim)

    network = Sharpener(axes=3, width=8, source=torch.Generator().manual_seed(0))
    training = Sharpening(network, pieces, Blur((0.6, 0.6, 0.6), 0.0), 40, data_range=1.0)
    train_phase(training)
    aim, _ = pieces(5)
    blurred = training.degraded(aim, 999)
    with torch.no_grad():
        inside = (..., slice(6, -6), slice(6, -6), slice(6, -6))
        after = (network(blurred) - aim)[inside].square().mean()
        assert float(after) < 0.7 * float((blurred - aim)[inside].square().mean())
