"""layouts: a key of obsm says which method placed the rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.steps.layouts import NO_LAYOUT, add_layout, layout_in


def table_of(**methods: str) -> Any:
    return SimpleNamespace(obsm={}, uns={"tile_engine": methods})


@pytest.mark.parametrize("method", ["umap", "pca"])
def test_a_layout_is_stored_under_its_method(method: str) -> None:
    table, places = table_of(umap=method), np.ones((3, 2), np.float32)
    add_layout(table, places, method)
    assert list(table.obsm) == [f"X_{method}"]
    found = layout_in(table)
    assert found is not None and found[1] == method and (found[0] == places).all()


def test_without_a_layout_there_is_no_key() -> None:
    table = table_of(umap=NO_LAYOUT)
    add_layout(table, np.zeros((3, 2)), NO_LAYOUT)
    assert table.obsm == {} and layout_in(table) is None


def test_components_of_an_earlier_table_are_found_under_the_kind() -> None:
    table = table_of(tsne="pca")
    table.obsm["X_tsne"] = np.ones((3, 2))
    found = layout_in(table, "tsne")
    assert found is not None and found[1] == "pca"
