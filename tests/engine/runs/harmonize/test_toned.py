"""The tone as it is applied is the tone as it was trained, and a cell has one value in every box."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tile_engine.engine.runs.harmonize.toned import toned
from tile_engine.models.harmonization.measures import Measures
from tile_engine.models.networks.tone import Tone, terms
from tile_engine.stores.frame import Array, Box

SHAPE = (9, 10, 11)


def measures(axes: int) -> Measures:
    empty = np.zeros(0)
    centre, half = np.array([4.0, 5.5, 5.0][:axes]), np.array([4.0, 4.5, 5.0][:axes])
    return Measures(np.ones(1), np.ones(1), centre, half, empty, empty, empty, empty, empty)


def drawn(axes: int, channels: int) -> tuple[Tone, Array]:
    source = torch.Generator().manual_seed(1)
    tone = Tone(channels, axes, top=1.0)
    with torch.no_grad():
        for parameter in tone.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=source))
    return tone, np.random.default_rng(0).uniform(0, 1.6, (channels, *SHAPE[: axes or 2])).astype(np.float32)


@pytest.mark.parametrize("shifted", [False, True])
def test_it_is_the_tone_that_was_trained(shifted: bool) -> None:
    tone, values = drawn(3, 1)
    where, box = measures(3), Box((0, 0, 0), SHAPE)
    shift = 0.1 * torch.randn(1, 11, generator=torch.Generator().manual_seed(2)) if shifted else None
    positions = [
        torch.from_numpy((np.arange(n) + 0.5 - c) / h).float()
        for n, c, h in zip(SHAPE, where.centre, where.half, strict=True)
    ]
    grid = torch.meshgrid(*positions, indexing="ij")
    terms_BNT = torch.stack(terms(list(grid)), -1).flatten(0, 2)[None]
    with torch.no_grad():
        expected = tone(torch.from_numpy(values).flatten(1)[None], terms_BNT, shift).view(values.shape).numpy()
    assert np.allclose(toned(tone, values, box, where, shift), expected, atol=2e-5)


def test_without_a_field_each_channel_has_its_curve() -> None:
    tone, values = drawn(0, 3)
    with torch.no_grad():
        expected = tone.curve(torch.from_numpy(values).flatten(1)[None])[0].view(values.shape).numpy()
    assert np.allclose(toned(tone, values, Box((0, 0), SHAPE[:2]), measures(2), None), expected, atol=1e-5)


def test_a_cell_has_the_same_bits_in_every_box() -> None:
    tone, values = drawn(3, 1)
    shift = torch.full((1, 11), 0.05)
    whole = toned(tone, values, Box((0, 0, 0), SHAPE), measures(3), shift)
    part = Box((3, 2, 4), (8, 9, 11))
    assert np.array_equal(
        toned(tone, values[(slice(None), *part.slices)], part, measures(3), shift), whole[(slice(None), *part.slices)]
    )


def test_background_stays_background() -> None:
    tone, values = drawn(3, 1)
    assert not toned(tone, np.zeros_like(values), Box((0, 0, 0), SHAPE), measures(3), None).any()
