"""Losses of neighbours against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from tile_engine.models.losses.neighbour_losses import agreement_weight, scan, self_label, temi

P = torch.tensor([[0.9, 0.1], [0.3, 0.7]])
Q = torch.tensor([[0.8, 0.2], [0.4, 0.6]])


def test_scan_of_two_patches_by_hand() -> None:
    alike = [0.9 * 0.8 + 0.1 * 0.2, 0.3 * 0.4 + 0.7 * 0.6]  # .74, .54
    mean = [0.6, 0.4]
    by_hand = -(math.log(alike[0]) + math.log(alike[1])) / 2 + 2.0 * sum(m * math.log(m) for m in mean)
    assert scan(P, Q, weight=2.0).item() == pytest.approx(by_hand, abs=1e-6)


def test_sure_patches_alone_teach_their_views_and_clusters_weigh_alike() -> None:
    sure, view = torch.tensor([[1.0, 0], [1, 0], [1, 0], [0, 1], [0.9, 0.1]]), torch.full((5, 2), 0.5)
    view[3] = torch.tensor([0.8, 0.2])
    by_hand = (math.log(2) - math.log(0.2)) / 2  # three patches of one cluster weigh as much as one of the other
    assert self_label(sure, view).item() == pytest.approx(by_hand, abs=1e-6)
    assert self_label(sure[4:], view[4:]).item() == 0, "nobody is sure"
    first, second = sure.clone().requires_grad_(), view.clone().requires_grad_()
    self_label(first, second).backward()
    assert first.grad is None and second.grad is not None and second.grad[4].abs().sum() == 0


def test_scan_is_least_where_neighbours_share_clusters_of_equal_size() -> None:
    one_cluster = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert scan(torch.eye(2), torch.eye(2)).item() == pytest.approx(-5 * math.log(2), abs=1e-6)
    assert scan(torch.eye(2), torch.eye(2)) < scan(one_cluster, one_cluster)
    assert torch.isfinite(scan(torch.eye(2), torch.eye(2).flip(0)))


def test_temi_of_two_patches_by_hand() -> None:
    mean, weight, beta = [0.25, 0.75], [0.5, 2.0], 0.6
    rows = []
    for p, q, w in zip(P.tolist(), Q.tolist(), weight, strict=True):
        rows.append(w * math.log(sum((p[k] * q[k]) ** beta / mean[k] for k in range(2))))
    found = temi(P, Q, torch.tensor(mean), torch.tensor(weight), beta=beta)
    assert found.item() == pytest.approx(-sum(rows) / 2, abs=1e-6)


def test_temi_at_beta_one_is_minus_ln_k_where_neighbours_agree_on_equal_clusters() -> None:
    even = torch.full((4,), 0.25)
    assert temi(torch.eye(4), torch.eye(4), even, beta=1.0).item() == pytest.approx(-math.log(4), abs=1e-5)


def test_the_weight_of_a_pair_is_its_agreement_averaged_over_heads() -> None:
    first = torch.stack([P, torch.eye(2)])
    second = torch.stack([Q, torch.eye(2).flip(0)])
    assert agreement_weight(first, second).tolist() == pytest.approx([0.74 / 2, 0.54 / 2])


def test_losses_keep_the_axes_of_heads() -> None:
    draw = torch.Generator().manual_seed(0)
    p, q = (torch.randn(3, 2, 8, 4, generator=draw).softmax(-1) for _ in range(2))
    mean = q.mean(-2)
    for s in range(3):
        for h in range(2):
            torch.testing.assert_close(scan(p, q)[s, h], scan(p[s, h], q[s, h]))
            torch.testing.assert_close(temi(p, q, mean)[s, h], temi(p[s, h], q[s, h], mean[s, h]))
