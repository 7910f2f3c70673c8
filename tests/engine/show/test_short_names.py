"""short_names: shortened names stay different, and what differs stays in them."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from tile_engine.engine.show.short_names import distinct_names

TEXTS = st.lists(st.text(string.ascii_letters + "_- .", min_size=1, max_size=90).map(str.strip).filter(bool))


@given(TEXTS)
def test_different_names_stay_different(names: list[str]) -> None:
    lines = {" ".join(name.split()) for name in names}
    assert len(set(distinct_names(names, 20).values())) == len(lines)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(2, 30))
def test_what_differs_is_kept_wherever_it_stands(before: int, after: int, count: int) -> None:
    names = [f"{'x' * before}_{i:04d}_{'y' * after}" for i in range(count)]
    short = distinct_names(names, 24)
    assert all(f"{i:04d}" in short[name] for i, name in enumerate(names)), short
    assert all(len(text) <= 24 for text in short.values())


def test_names_that_fit_stay_as_they_are() -> None:
    assert distinct_names(["a.svs", "b c.svs"]) == {"a.svs": "a.svs", "b c.svs": "b c.svs"}


def test_a_name_that_differs_in_two_far_places_is_not_shortened_to_that_of_another() -> None:
    names = ["x" * 40 + a + "m" * 40 + b + "y" * 40 for a in "ab" for b in "cd"]
    assert len(set(distinct_names(names, 20).values())) == 4
