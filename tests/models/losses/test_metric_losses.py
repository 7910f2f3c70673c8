"""Metric losses against values computed by hand."""

from __future__ import annotations

from math import exp, log, sqrt

import pytest
import torch

from tile_engine.models.losses import metric_losses as losses

CODES = torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]])
PROTOTYPES = torch.tensor([[0.0, 0.0], [0.0, 2.0]])
SQUARED = [[0.0, 4.0], [25.0, 13.0], [1.0, 5.0]]


def by_hand(rows: list[tuple[int, int]], temperature: float, root: bool) -> float:
    total = 0.0
    for row, label in rows:
        d = [sqrt(v) if root else v for v in SQUARED[row]]
        total -= log(exp(-d[label] / temperature) / sum(exp(-v / temperature) for v in d))
    return total / len(rows)


@pytest.mark.parametrize("distance", ["sq", "l2"])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_prototype_loss(distance: losses.Distance, temperature: float) -> None:
    classes = torch.tensor([0, 1, 1])
    found = losses.prototype_loss(CODES, classes, PROTOTYPES, temperature, distance)
    assert found.item() == pytest.approx(by_hand([(0, 0), (1, 1), (2, 1)], temperature, distance == "l2"), rel=1e-5)


def test_rows_of_unknown_class_do_not_count() -> None:
    found = losses.prototype_loss(CODES, torch.tensor([0, -1, 1]), PROTOTYPES)
    assert found.item() == pytest.approx(by_hand([(0, 0), (2, 1)], 1.0, False), rel=1e-5)
    assert losses.prototype_loss(CODES, torch.tensor([-1, -1, -1]), PROTOTYPES).item() == 0.0


def test_a_code_on_its_prototype_has_a_finite_gradient() -> None:
    codes = CODES.clone().requires_grad_()
    losses.prototype_loss(codes, torch.tensor([0, 1, 1]), PROTOTYPES, distance="l2").backward()
    assert codes.grad is not None and bool(codes.grad.isfinite().all())


def test_entropy_of_unlabelled_rows() -> None:
    middle = torch.tensor([[5.0, 1.0]])  # as far from both: ln 2
    near = torch.tensor([[0.0, 0.0]])
    p = 1 / (1 + exp(-4.0))
    own = -p * log(p) - (1 - p) * log(1 - p)
    both = torch.cat([middle, near, CODES[1:2]])
    found = losses.entropy_unlabelled(both, torch.tensor([-1, -1, 0]), PROTOTYPES)
    assert found.item() == pytest.approx((log(2) + own) / 2, rel=1e-4)
    assert losses.entropy_unlabelled(both, torch.tensor([0, 1, 0]), PROTOTYPES).item() == 0.0


def test_prototypes_are_means_of_drawn_rows_and_leave_one_to_compare() -> None:
    classes = torch.tensor([0, 0, 0, 0, 2, 2, -1])
    weights, drawn = losses.draw_prototypes(classes, 3, torch.Generator().manual_seed(0))
    assert weights.shape == (3, 7)
    assert sorted(weights[0, :4].tolist()) == pytest.approx([0.0, 1 / 3, 1 / 3, 1 / 3])
    assert weights[1].tolist() == [0.0] * 7  # the batch has none of it
    assert sorted(weights[2, 4:6].tolist()) == [0.0, 1.0]
    assert drawn.tolist() == (weights.sum(0) > 0).tolist() and not drawn[6]
    others = [losses.draw_prototypes(classes, 1, torch.Generator().manual_seed(seed))[1] for seed in range(9)]
    assert len({tuple(rows.tolist()) for rows in others}) > 1


def test_triplet() -> None:
    codes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [7.0, 7.0]])
    classes = torch.tensor([0, 0, 1, -1])
    # on the unit circle: anchor 0: d+ = √2, d- = 0; anchor 1: d+ = √2, d- = √2; both violated
    assert losses.triplet(codes, classes, margin=0.2).item() == pytest.approx((sqrt(2) + 0.2 + 0.2) / 2, rel=1e-5)


def test_contrastive() -> None:
    codes = torch.tensor([[2.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, 5.0], [9.0, 9.0]])
    classes = torch.tensor([0, 0, 1, 1, -1])
    t = 0.5  # cosines: 1 with the partner, 0 with the two others
    wanted = -log(exp(1 / t) / (exp(1 / t) + 2.0))
    assert losses.contrastive(codes, classes, t).item() == pytest.approx(wanted, rel=1e-5)


def test_proxy_anchor_and_its_proxies_learn() -> None:
    proxies = torch.eye(2).requires_grad_()
    codes = torch.tensor([[4.0, 0.0], [0.0, 2.0], [9.0, 9.0]])
    found = losses.proxy_anchor(codes, torch.tensor([0, 1, -1]), proxies, margin=0.1)
    wanted = log(1 + exp(-32 * (1 - 0.1))) + log(1 + exp(32 * (0 + 0.1)))
    assert found.item() == pytest.approx(wanted, rel=1e-4)
    found.backward()
    assert proxies.grad is not None and float(proxies.grad.abs().sum()) > 0


def test_site_loss_and_the_gradient_that_is_turned() -> None:
    codes = torch.tensor([[1.0, 2.0]], requires_grad=True)
    (3.0 * losses.reversed_gradient(codes)).sum().backward()
    assert codes.grad is not None and codes.grad.tolist() == [[-3.0, -3.0]]
    (3.0 * losses.reversed_gradient(codes.detach())).sum()  # of codes that want no gradient, too


def test_site_loss_by_hand() -> None:
    codes = torch.tensor([[1.0], [3.0], [7.0]], requires_grad=True)  # known ones: -1 and 1 when centred and scaled
    sites = torch.tensor([0, 1, -1])
    head = torch.tensor([[0.0, log(3.0)]], requires_grad=True)
    found = losses.site_loss(lambda even: even @ head, codes, sites)
    assert found.item() == pytest.approx(-log(0.75), rel=1e-4)
    assert losses.site_loss(lambda even: even @ head, codes, torch.tensor([-1, -1, -1])).item() == 0.0


def test_a_head_that_guesses_wrongly_moves_no_code() -> None:
    codes = torch.tensor([[1.0, 0.0], [3.0, 1.0], [2.0, 5.0]], requires_grad=True)
    wrong = torch.tensor([[3.0, -3.0], [0.0, 0.0]], requires_grad=True)
    losses.site_loss(lambda even: even @ wrong, codes, torch.tensor([0, 1, 1])).backward()
    assert codes.grad is not None and float(codes.grad[:2].abs().sum()) < 1e-6
    assert wrong.grad is not None and float(wrong.grad.abs().sum()) > 0.1  # the head still learns


def test_codes_under_the_adversary_lose_their_site_and_keep_the_rest() -> None:
    draw = torch.Generator().manual_seed(0)
    sites = torch.arange(64) % 2
    first = torch.randn(64, 4, generator=draw) + 2.0 * sites.unsqueeze(1) * torch.tensor([1.0, 0.0, 0.0, 0.0])
    offset = torch.zeros(2, 4, requires_grad=True)  # what a network could take away from each site
    head = torch.nn.Linear(4, 2)
    torch.nn.init.zeros_(head.weight)
    adam = torch.optim.Adam([{"params": [offset], "lr": 0.003}, {"params": head.parameters(), "lr": 0.03}])
    for _ in range(600):
        loss = losses.site_loss(head, first + offset[sites], sites)
        adam.zero_grad()
        loss.backward()
        adam.step()
    last = (first + offset[sites]).detach()
    before, after = ((codes[sites == 1].mean(0) - codes[sites == 0].mean(0)).norm() for codes in (first, last))
    assert after < 0.4 * before
    assert torch.allclose(last.std(0)[1:], first.std(0)[1:], atol=0.1)
