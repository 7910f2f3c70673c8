"""The bank of heads: what is trained together is what it would be alone."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.models.networks.cluster_heads import ClusterHead, HeadBank


def codes(count: int, features: int = 12, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, features, generator=torch.Generator().manual_seed(seed)) * 3 + 1


@given(st.lists(st.integers(2, 9), min_size=1, max_size=4, unique=True), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_an_extracted_head_gives_the_probabilities_of_its_place_in_the_bank(ks: list[int], seeds: int) -> None:
    bank = HeadBank(12, ks, range(seeds), hidden=32)
    bank.standardise(codes(50))
    for parameter in bank.parameters():
        parameter.data += torch.rand(parameter.shape, generator=torch.Generator().manual_seed(9))
    p_SJBK, over_SBK = bank(codes(7).expand(seeds, -1, -1))
    torch.testing.assert_close(p_SJBK.sum(-1), torch.ones(seeds, len(ks), 7))
    torch.testing.assert_close(over_SBK.sum(-1), torch.ones(seeds, 7))
    for j, k in enumerate(ks):
        assert (p_SJBK[:, j, :, k:] == 0).all()
        for s in range(seeds):
            torch.testing.assert_close(bank.extract(s, k)(codes(7)), p_SJBK[s, j, :, :k], atol=1e-5, rtol=1e-4)


def test_first_probabilities_are_nearly_even() -> None:
    p_SJBK, _ = HeadBank(12, (4,), (0, 1))(codes(100).expand(2, -1, -1))
    assert (p_SJBK - 0.25).abs().max() < 0.05


def test_a_seed_is_what_it_would_be_alone() -> None:
    together, alone = HeadBank(12, (3, 5), (7, 8)), HeadBank(12, (3, 5), (8,))
    torch.testing.assert_close(together(codes(6).expand(2, -1, -1))[0][1], alone(codes(6)[None])[0][0])


def test_a_restart_changes_one_head_only() -> None:
    bank = HeadBank(12, (3, 5), (0, 1))
    before = bank.last_SHJK.detach().clone()
    bank.restart(1, 0, torch.Generator().manual_seed(3))
    changed = (bank.last_SHJK != before).any(dim=1).any(dim=-1)
    assert changed.tolist() == [[False, False], [True, False]]


def test_a_recipe_rebuilds_a_head() -> None:
    head = HeadBank(12, (3,), (0,)).extract(0, 3)
    again = ClusterHead(**head.recipe())
    again.load_state_dict(head.state_dict())
    assert torch.equal(again(codes(4)), head(codes(4)))
