"""Likelihoods: log p against torch.distributions, against sums over all grey levels, and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import distributions

from tile_engine.models.losses import likelihoods

DRAW = torch.Generator().manual_seed(0)
PIXELS = torch.rand(4, 1, 5, 5, generator=DRAW)
OUTPUTS = 4 * torch.randn(4, 1, 5, 5, generator=DRAW)
LOG_SCALE = torch.tensor(-1.5)


def test_bernoulli_is_the_one_of_torch() -> None:
    known = distributions.Bernoulli(logits=OUTPUTS, validate_args=False).log_prob(PIXELS)
    assert torch.allclose(likelihoods.bernoulli(PIXELS, OUTPUTS), known, atol=1e-5)


def test_continuous_bernoulli_is_the_one_of_torch_and_its_mean_too() -> None:
    known = distributions.ContinuousBernoulli(logits=OUTPUTS.double())
    assert torch.allclose(likelihoods.continuous_bernoulli(PIXELS, OUTPUTS).double(), known.log_prob(PIXELS), atol=1e-4)
    assert torch.allclose(likelihoods.continuous_bernoulli_mean(OUTPUTS).double(), known.mean, atol=1e-4)


@pytest.mark.parametrize("logit", [0.0, 1e-4, -9e-3, 0.02, 3.0, -30.0])
def test_continuous_bernoulli_integrates_to_one_with_finite_slopes(logit: float) -> None:
    output = torch.tensor(logit, dtype=torch.float64, requires_grad=True)
    grid = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    density = likelihoods.continuous_bernoulli(grid, output.expand(20_000)).exp()
    assert density.mean().item() == pytest.approx(1.0, abs=1e-5)
    assert (density * grid).mean().item() == pytest.approx(
        likelihoods.continuous_bernoulli_mean(output).item(), abs=1e-5
    )
    likelihoods.continuous_bernoulli(torch.tensor(0.3), output).backward()
    assert output.grad is not None and math.isfinite(output.grad.item())


def test_gaussian_is_the_one_of_torch() -> None:
    known = distributions.Normal(OUTPUTS.sigmoid(), LOG_SCALE.exp()).log_prob(PIXELS)
    assert torch.allclose(likelihoods.gaussian(PIXELS, OUTPUTS, LOG_SCALE), known, atol=1e-5)


@pytest.mark.parametrize(("output", "log_scale"), [(0.0, -3.0), (-6.0, -4.0), (5.0, -1.0), (0.3, -7.0)])
def test_logistic_gives_all_levels_a_probability_of_one(output: float, log_scale: float) -> None:
    levels = torch.arange(256, dtype=torch.float64) / 255
    outputs, scale = torch.full((256,), output, dtype=torch.float64), torch.tensor(log_scale, dtype=torch.float64)
    p = likelihoods.logistic(levels, outputs, scale).exp()
    assert p.sum().item() == pytest.approx(1.0, abs=1e-9)
    middle = distributions.TransformedDistribution(
        distributions.Uniform(torch.tensor(0.0).double(), torch.tensor(1.0).double()),
        [
            distributions.SigmoidTransform().inv,
            distributions.AffineTransform(torch.sigmoid(outputs[0]), scale.exp()),
        ],
    )
    known = middle.cdf(levels[100] + 0.5 / 255) - middle.cdf(levels[100] - 0.5 / 255)
    assert p[100].item() == pytest.approx(known.item(), rel=1e-6, abs=1e-12)


def test_logistic_far_from_a_level_keeps_a_finite_value() -> None:
    value = likelihoods.logistic(torch.tensor(1.0), torch.tensor(-40.0), torch.tensor(-7.0))
    assert value.item() == pytest.approx(-(1 - 0.5 / 255) * math.exp(7.0), rel=1e-4)


def test_divergence_is_the_one_of_torch() -> None:
    mean, log_variance = torch.randn(3, 7, generator=DRAW), torch.randn(3, 7, generator=DRAW)
    ours = likelihoods.gaussian_divergence(mean, log_variance)
    known = distributions.kl_divergence(
        distributions.Normal(mean, (0.5 * log_variance).exp()), distributions.Normal(0.0, 1.0)
    )
    assert torch.allclose(ours, known.sum(1), atol=1e-5)


def test_the_best_bernoulli_value_of_an_image_is_minus_its_entropy() -> None:
    best = likelihoods.bernoulli(PIXELS, PIXELS.logit()).flatten(1).sum(1)
    assert torch.allclose(likelihoods.pixel_entropy(PIXELS), -best, atol=1e-3)
    assert likelihoods.pixel_entropy(torch.tensor([[[[0.0, 1.0]]]])).item() == 0.0
