"""A tone is increasing, has an inverse, and a new one changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tile_engine.models.networks.tone import PIECES, Tone, terms, terms_of


def drawn(axes: int, channels: int = 2) -> tuple[Tone, Tensor, Tensor]:
    """A random tone, values in its range, and terms of their positions."""
    source = torch.Generator().manual_seed(3)
    tone = Tone(channels, axes)
    with torch.no_grad():
        for parameter in tone.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=source))
    positions = [torch.rand(2, 50, generator=source) * 2 - 1 for _ in range(axes)]
    terms_BNT = torch.stack(terms(positions), -1) if axes else torch.zeros(2, 50, 0)
    return tone, torch.rand(2, channels, 50, generator=source) * 2 + 0.01, terms_BNT


@pytest.mark.parametrize("axes", [0, 2, 3])
@pytest.mark.parametrize("shifted", [False, True])
def test_the_inverse_takes_values_back(axes: int, shifted: bool) -> None:
    tone, values, fields = drawn(axes)
    shift = (
        0.1 * torch.randn(2, terms_of(axes) + 2, generator=torch.Generator().manual_seed(4))
        if shifted and axes
        else None
    )
    assert torch.allclose(tone.inverse(tone(values, fields, shift), fields, shift), values, rtol=2e-3)


def test_the_curve_rises_everywhere_and_beyond_its_end() -> None:
    tone, _, _ = drawn(0, channels=1)
    curve = tone.curve(torch.linspace(0, 2 * tone.top, 200)[None, None])[0, 0]
    assert (curve.diff() > 0).all() and curve[0] == 0
    assert tone.knots.shape == (1, PIECES + 1)


def test_terms_are_linear_products_and_squares() -> None:
    z, y = torch.tensor([0.5]), torch.tensor([2.0])
    assert [round(float(t), 4) for t in terms([z, y])] == [0.5, 2.0, 1.0, -0.0833, 3.6667]
    assert len(terms([z, y, z])) == terms_of(3) == 9
