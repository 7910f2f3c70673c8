"""Neighbours are those that a full table of distances says."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.models.neighbours.knn import nearest_patches


@given(st.integers(2, 40), st.integers(1, 12), st.integers(1, 50))
@settings(max_examples=20, deadline=None)
def test_the_nearest_codes_are_found_and_never_oneself(count: int, neighbours: int, chunk: int) -> None:
    codes_NF = torch.randn(count, 3, generator=torch.Generator().manual_seed(count))
    found_NM = nearest_patches(codes_NF, neighbours, chunk)
    assert found_NM.shape == (count, min(neighbours, count - 1))
    for i, row in enumerate(found_NM.tolist()):
        distance = (codes_NF - codes_NF[i]).norm(dim=1)
        distance[i] = torch.inf
        torch.testing.assert_close(distance[row], distance.sort().values[: len(row)])


def test_a_single_code_is_its_own_neighbour() -> None:
    assert nearest_patches(torch.zeros(1, 4)).tolist() == [[0]]
