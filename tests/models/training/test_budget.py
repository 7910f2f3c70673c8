"""Budgets grow with the cohort and the effort, and know their limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tile_engine.errors import SettingsError
from tile_engine.models.training.budget import MAX_PATCHES, budget, effort_factor


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.floats(0.1, 10))
def test_a_larger_cohort_never_gets_less(one: int, other: int, effort: float) -> None:
    small, large = budget(min(one, other), effort), budget(max(one, other), effort)
    for name in ("patches", "reconstruction", "heads", "fine_tune"):
        assert 1 <= getattr(small, name) <= getattr(large, name)
    assert large.patches <= min(MAX_PATCHES, max(one, other))


def test_large_cohorts_give_50_000_patches() -> None:
    assert budget(10**7).patches == MAX_PATCHES


@given(st.integers(1, 10**7))
def test_words_are_numbers(available: int) -> None:
    assert budget(available) == budget(available, 1.0) == budget(available, "1")
    assert budget(available, "quick").reconstruction < budget(available, "thorough").reconstruction


@pytest.mark.parametrize("effort", ["lots", "0", -1.0, float("nan")])
def test_other_efforts_are_refused(effort: str | float) -> None:
    with pytest.raises(SettingsError, match="quick, normal, thorough"):
        effort_factor(effort)
