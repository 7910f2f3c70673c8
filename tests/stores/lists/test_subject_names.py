"""Subjects match across spellings where that is unambiguous."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tile_engine.stores.lists.subject_names import match_subjects


def test_numbers_prefixes_case_and_punctuation_do_not_matter() -> None:
    present = ["sub-01", "sub-02", "sub-A03", "sub-CQ4", "sub-10"]
    listed = ["1", "SUB-02", "A_03", "cq-4", "010", "11"]
    assert match_subjects(listed, present) == dict(zip(listed, present, strict=False))


def test_an_exact_name_goes_before_a_similar_one() -> None:
    assert match_subjects(["sub-1", "sub-01"], ["sub-01"]) == {"sub-01": "sub-01"}
    assert match_subjects(["1"], ["sub-1", "sub-01"]) == {"1": "sub-1"}


def test_what_could_be_two_is_none() -> None:
    assert match_subjects(["001"], ["sub-1", "sub-01"]) == {}
    assert match_subjects(["1", "001"], ["sub-01"]) == {}
    assert match_subjects(["1", "01"], ["sub-01", "sub-001"]) == {"01": "sub-01"}


@given(st.sets(st.text("01a-", max_size=4)), st.sets(st.text("01a-", max_size=4).map(lambda s: f"sub-{s}")))
def test_no_subject_is_matched_twice(listed: set[str], present: set[str]) -> None:
    found = match_subjects(sorted(listed), sorted(present))
    assert len(set(found.values())) == len(found) and set(found) <= listed and set(found.values()) <= present
