"""Losses against values worked out by hand, and the laws that they follow."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.models.losses.clustering import (
    divergence,
    entropy,
    iic,
    imsat,
    mutual_information,
    neighbour_radius,
    vat_perturbation,
    vicreg,
)


def probabilities(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).mul(2).softmax(-1)


def test_iic_of_two_patches_by_hand() -> None:
    p_BK, q_BK = torch.tensor([[0.9, 0.1], [0.3, 0.7]]), torch.tensor([[0.8, 0.2], [0.4, 0.6]])
    # P = [[(.72 + .12) / 2, (.18 + .18) / 2], [(.08 + .28) / 2, (.02 + .42) / 2]], symmetric already
    joint = [[0.42, 0.18], [0.18, 0.22]]
    sums = [0.60, 0.40]
    by_hand = -sum(joint[i][j] * math.log(joint[i][j] / (sums[i] * sums[j])) for i in range(2) for j in range(2))
    assert iic(p_BK, q_BK).item() == pytest.approx(by_hand, abs=1e-6)


def test_iic_weighs_the_marginals_with_lam() -> None:
    p_BK, q_BK = torch.tensor([[0.9, 0.1], [0.3, 0.7]]), torch.tensor([[0.8, 0.2], [0.4, 0.6]])
    joint, sums = [[0.42, 0.18], [0.18, 0.22]], [0.60, 0.40]
    by_hand = -sum(
        joint[i][j] * (math.log(joint[i][j]) - 1.5 * math.log(sums[i]) - 1.5 * math.log(sums[j]))
        for i in range(2)
        for j in range(2)
    )
    assert iic(p_BK, q_BK, lam=1.5).item() == pytest.approx(by_hand, abs=1e-6)


@given(st.integers(2, 20))
@settings(max_examples=10, deadline=None)
def test_iic_is_minus_ln_k_where_views_agree_on_equal_clusters_and_zero_where_they_are_independent(k: int) -> None:
    assert iic(torch.eye(k), torch.eye(k)).item() == pytest.approx(-math.log(k), abs=1e-5)
    even = torch.full((6, k), 1.0 / k)
    assert iic(even, even).item() == pytest.approx(0.0, abs=1e-5)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_iic_is_symmetric_bounded_and_blind_to_names(seed: int) -> None:
    p_BK, q_BK = probabilities(12, 5, seed=seed), probabilities(12, 5, seed=seed + 1)
    loss = iic(p_BK, q_BK)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    assert -math.log(5) - 1e-5 <= loss <= 1e-5
    torch.testing.assert_close(loss, iic(q_BK, p_BK))
    torch.testing.assert_close(loss, iic(p_BK[:, order], q_BK[:, order]))


def test_one_call_serves_many_heads_and_absent_clusters_change_nothing() -> None:
    p_SBK, q_SBK = probabilities(3, 8, 4), probabilities(3, 8, 4, seed=1)
    for loss in (iic, imsat):
        together = loss(p_SBK, q_SBK)
        torch.testing.assert_close(together, torch.stack([loss(p, q) for p, q in zip(p_SBK, q_SBK, strict=True)]))
        padded = [torch.nn.functional.pad(x, (0, 3)) for x in (p_SBK, q_SBK)]
        torch.testing.assert_close(loss(*padded), together, atol=1e-5, rtol=1e-5)


def test_zero_probabilities_leave_finite_gradients() -> None:
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    p_BK = logits.softmax(-1)
    (iic(p_BK, p_BK) + imsat(p_BK, p_BK) + entropy(p_BK).sum()).backward()
    assert torch.isfinite(logits.grad).all()


def test_mutual_information_by_hand() -> None:
    assert mutual_information(torch.eye(4)).item() == pytest.approx(math.log(4), abs=1e-5)
    p_BK = torch.tensor([[0.75, 0.25], [0.25, 0.75]])
    one = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert mutual_information(p_BK).item() == pytest.approx(math.log(2) - one, abs=1e-6)


def test_imsat_by_hand() -> None:
    p_BK, q_BK = torch.tensor([[0.75, 0.25], [0.25, 0.75]]), torch.tensor([[0.5, 0.5], [0.25, 0.75]])
    augmented = (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)) / 2
    conditional = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    by_hand = augmented + 0.1 * (conditional - 4.0 * math.log(2))
    assert imsat(p_BK, q_BK).item() == pytest.approx(by_hand, abs=1e-6)


def test_imsat_with_a_prior_is_least_where_sizes_follow_it() -> None:
    prior_K = torch.tensor([0.75, 0.25])
    follows, equal = torch.eye(2)[[0, 0, 0, 1]], torch.eye(2)[[0, 0, 1, 1]]
    assert imsat(follows, follows, prior_K=prior_K).item() == pytest.approx(0.0, abs=1e-6)
    by_hand = 0.1 * 4.0 * (0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25))
    assert imsat(equal, equal, prior_K=prior_K).item() == pytest.approx(by_hand, abs=1e-6)


def test_divergence_is_zero_for_equal_and_positive_for_other_probabilities() -> None:
    p_BK, q_BK = probabilities(9, 4), probabilities(9, 4, seed=1)
    torch.testing.assert_close(divergence(p_BK, p_BK), torch.zeros(9))
    assert (divergence(p_BK, q_BK) > 0).all()


def test_neighbour_radius_is_a_quarter_of_the_distance_to_the_tenth_neighbour() -> None:
    line = torch.arange(30.0).unsqueeze(1)
    radius_N = neighbour_radius(line, neighbour=10, chunk=7)
    assert radius_N[0].item() == pytest.approx(2.5)  # neighbours 1 ... 10 to the right
    assert radius_N[15].item() == pytest.approx(1.25)  # 5 on each side
    assert neighbour_radius(line[:1]).tolist() == [0.0]


def test_vat_steps_across_the_boundary_with_the_radius_asked_for() -> None:
    def classify(codes_BF: torch.Tensor) -> torch.Tensor:
        return torch.stack([codes_BF[:, 0], -codes_BF[:, 0]], 1).mul(0.1).softmax(-1)

    codes_BF, radius_B = torch.randn(20, 6, generator=torch.Generator().manual_seed(1)), torch.linspace(0.1, 2, 20)
    step = vat_perturbation(classify, codes_BF, radius_B, torch.Generator().manual_seed(0))
    torch.testing.assert_close(step.norm(dim=1), radius_B)
    # Only the first feature matters to this classifier: the step goes along it.
    torch.testing.assert_close(step[:, 0].abs(), radius_B, atol=1e-4, rtol=1e-3)


def test_vicreg_by_hand() -> None:
    one_BF, other_BF = torch.tensor([[1.0, 0.5], [-1.0, -0.5]]), torch.tensor([[1.0, 2.0], [-1.0, -2.0]])
    differ = (0 + 1.5**2 + 0 + 1.5**2) / 4
    # Sample variances: 2 and 0.5 (short of 1 by 1 - sqrt(0.5)); 2 and 8. Covariances: 1 and 4.
    short = (1 - math.sqrt(0.5)) / 2 / 2
    correlated = 0.04 * (2 * 1**2 / 2 + 2 * 4**2 / 2) / 2
    assert vicreg(one_BF, other_BF).item() == pytest.approx(differ + short + correlated, abs=1e-3)


def test_vicreg_of_equal_spread_uncorrelated_codes_is_nothing() -> None:
    codes_BF = torch.tensor([[2.0, 2.0], [2.0, -2.0], [-2.0, 2.0], [-2.0, -2.0]])
    assert vicreg(codes_BF, codes_BF).item() == pytest.approx(0.0, abs=1e-6)
    assert vicreg(codes_BF * 0, codes_BF * 0).item() == pytest.approx(0.99, abs=1e-3)
