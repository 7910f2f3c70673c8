"""Batch renormalization: the batch's statistics at first, the running ones when applied, and then the same in any tile."""

from __future__ import annotations

import torch
from torch import nn

from tile_engine.models.networks.batch_renorm import EPSILON, BatchRenorm


def test_the_first_batch_is_normalised_like_batch_norm() -> None:
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 3 + 2
    expected = nn.BatchNorm2d(3, eps=EPSILON).train()(x)
    assert torch.allclose(BatchRenorm(3).train()(x), expected, atol=1e-5)


def test_once_trained_a_tile_does_not_depend_on_its_neighbours() -> None:
    norm = BatchRenorm(2).train()
    for i in range(30):
        norm(torch.randn(2, 2, 6, 6, generator=torch.Generator().manual_seed(i)) + 5)
    assert torch.allclose(norm.mean, torch.full((2,), 5.0), atol=0.2)
    norm.eval()
    x = torch.randn(1, 2, 6, 12)
    assert torch.equal(norm(x)[..., :6], norm(x[..., :6]))


def test_training_and_application_agree_after_the_warm_up() -> None:
    norm = BatchRenorm(1).train()
    for i in range(300):
        norm(torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(i)) * 2 + 1)
    x = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(999)) * 2 + 1
    trained = norm(x)
    assert torch.allclose(trained, norm.eval()(x), atol=0.05)
