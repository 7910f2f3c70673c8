"""Two fields of a report decide a film's label."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tile_engine.errors import SettingsError
from tile_engine.stores.films.labels import ABNORMAL, NORMAL, two_field_labels

FIELDS = ("所見", "最終判断")
NORMAL_VALUES = ({"異常所見なし", "異常なし"}, {"異常なし"})


def test_both_fields_must_say_normal_or_neither() -> None:
    columns = {
        "所見": ["異常所見なし", "異常なし", "結節影", "異常なし", "結節影", "", "n/a"],
        "最終判断": ["異常なし", "異常なし", "要精査", "要精査", "異常なし", "異常なし", "要精査"],
    }
    result = two_field_labels(columns, FIELDS, NORMAL_VALUES)
    assert result.labels == (NORMAL, NORMAL, ABNORMAL, "", "", "", "")
    assert (result.normal, result.abnormal, result.disagreeing, result.unstated) == (2, 1, 2, 2)


def test_case_and_width_of_letters_do_not_count() -> None:
    result = two_field_labels({"a": ["None", "ｎｏｎｅ "], "b": ["OK", "ok"]}, ("a", "b"), (["none"], "Ok"))
    assert result.labels == (NORMAL, NORMAL)


@given(rows=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_every_film_is_counted_once(rows: list[tuple[bool, bool]]) -> None:
    rows = [*rows, (True, True)]
    columns = {name: ["no" if row[i] else "yes" for row in rows] for i, name in enumerate("ab")}
    result = two_field_labels(columns, ("a", "b"), ({"no"}, {"no"}))
    assert result.normal == sum(a and b for a, b in rows) and result.abnormal == sum(not a and not b for a, b in rows)
    assert result.normal + result.abnormal + result.disagreeing + result.unstated == len(rows)


@pytest.mark.parametrize(
    ("columns", "fields", "normal", "words"),
    [
        ({"a": ["x"]}, ("a", "b"), ({"x"}, {"x"}), "column 'b' is missing"),
        ({"a": ["x"], "b": []}, ("a", "b"), ({"x"}, {"x"}), "has 1 rows and 'b' 0"),
        ({"a": ["x"], "b": ["y"]}, ("a", "b"), ({"x"}, {"x"}), "every film would be abnormal"),
        ({"a": ["x"], "b": ["y"]}, ("a", "b"), (set(), {"y"}), "no film has one of the normal values"),
        ({"a": ["x"]}, ("a", "a"), ({"x"}, {"x"}), "both are 'a'"),
    ],
)
def test_what_cannot_decide_is_refused(columns: dict, fields: tuple, normal: tuple, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        two_field_labels(columns, fields, normal)
    assert caught.value.code == "E_MANIFEST"
