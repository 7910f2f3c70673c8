"""list_columns: the user's columns never take the names that tables of tiles, searches and exports have of their own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anndata
import numpy as np
import pandas as pd

from tile_engine.engine.steps.list_columns import INTERNAL, columns_beside, list_columns, list_texts
from tile_engine.stores.tables import write_table


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


def test_headings_that_no_folder_can_have_as_its_name_are_stored_under_others(tmp_path: Path) -> None:
    question = "\u6700\u8fd1\u4e24\u5468" * 25  # 300 bytes
    headings = [question + "1", question + "2", "_index", "zarr.json", ".", "mg/l"]
    columns = columns_beside(["slide"], {heading: ["a", "b"] for heading in headings})
    assert [name for name in columns if name.startswith("list ")] == ["list _index", "list zarr.json", "list ."]
    assert len({name for name in columns if name.startswith(question[:20])}) == 2
    table = anndata.AnnData(X=np.zeros((2, 1), np.float32), obs=pd.DataFrame(columns, index=["x", "y"]))
    write_table(tmp_path / "table.zarr", table)
    assert list(anndata.read_zarr(tmp_path / "table.zarr").obs) == list(columns)
