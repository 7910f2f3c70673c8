"""A quantile curve gives values the other distribution, keeps their order, and survives equal quantiles."""

from __future__ import annotations

import numpy as np
import torch

from tile_engine.models.networks.quantile_curve import SHARES, QuantileCurve, quantiles


def test_values_get_the_other_distribution_in_their_own_order() -> None:
    draw = np.random.default_rng(0)
    before, after = draw.gamma(2.0, 1.0, (2, 4000)), draw.normal(5.0, 2.0, (2, 4000))
    curve = QuantileCurve(2).fitted(quantiles([before]), quantiles([after]))
    changed = curve(torch.from_numpy(before.astype(np.float32))[None])[0].numpy()
    assert np.allclose(np.quantile(changed, SHARES, axis=1), np.quantile(after, SHARES, axis=1), atol=0.02)
    assert (np.diff(changed[0][np.argsort(before[0])]) >= 0).all()


def test_a_new_curve_changes_nothing() -> None:
    values = torch.randn(2, 1, 3, 4, 5)
    assert torch.allclose(QuantileCurve()(values), values, atol=1e-6)


def test_many_equal_values_make_no_infinite_slope() -> None:
    flat = np.zeros((1, 100))
    flat[0, -10:] = 1.0
    curve = QuantileCurve(1).fitted(quantiles([flat]), quantiles([flat]))
    assert torch.isfinite(curve(torch.linspace(-1, 2, 50)[None, None])).all()


def test_quantiles_are_averaged_over_images() -> None:
    assert np.allclose(quantiles([np.zeros((1, 9)), np.full((1, 5), 2.0)]), 1.0)
