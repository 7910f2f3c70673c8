"""list_columns: the user's columns never take the names that tables of tiles, searches and exports have of their own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tile_engine.engine.steps.list_columns import INTERNAL, list_columns, list_texts


def _record(columns: dict[str, str], sections: tuple[str, ...] = ()) -> Any:
    return SimpleNamespace(columns=columns, sections=sections)


def test_names_that_our_tables_have_in_some_runs_are_given_others() -> None:
    columns = {"plane": "sagittal", "cluster": "adenoma", "region": "cortex", "embedding_0": "a", "age": "61"}
    found = list_columns([_record(columns)])
    assert list(found) == ["list plane", "list cluster", "list region", "list embedding_0", "age"]
    assert found["list plane"].tolist() == ["sagittal"] and found["age"].tolist() == [61.0]


def test_what_a_block_notes_of_its_registration_is_no_column_of_the_list() -> None:
    columns = dict.fromkeys(sorted(INTERNAL), "/home/name") | {"grade": "12345678901234567890"}
    assert list_texts([_record(columns, ("HE",))]) == {"grade": ["12345678901234567890"]}
    assert set(list_texts([_record(columns)])) == {*columns}, "of slides they are the user's"
