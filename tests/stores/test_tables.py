"""Tables are whole or absent, and the same table leaves the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

from tile_engine.errors import CorruptError
from tile_engine.stores.tables import read_table, write_table


def table(rows: int = 50) -> anndata.AnnData:
    draw = np.random.default_rng(0)
    obs = pd.DataFrame(
        {"slide": pd.Categorical(["a", "b"] * (rows // 2)), "y": np.arange(rows)}, index=[f"t{i}" for i in range(rows)]
    )
    made = anndata.AnnData(X=draw.random((rows, 8)).astype(np.float16), obs=obs)
    made.obsm["spatial"] = draw.random((rows, 2))
    return made


def test_a_table_comes_back_as_zarr_3(tmp_path: Path) -> None:
    import zarr

    path = tmp_path / "tables" / "tiles.zarr"
    files = write_table(path, table())
    found = read_table(path)
    np.testing.assert_array_equal(found.X, table().X)
    pd.testing.assert_frame_equal(found.obs, table().obs, check_dtype=False)
    assert zarr.open_group(path, mode="r").metadata.zarr_format == 3
    assert {f.path for f in files} == {p for p in path.rglob("*") if p.is_file()}
    assert all(f.path.stat().st_size == f.size for f in files)


def test_the_same_table_leaves_the_same_bytes_over_whatever_a_killed_writer_left(tmp_path: Path) -> None:
    for name in ("one", "two"):
        if name == "two":
            for leftover in (".t.zarr.aside", ".t.zarr.old"):
                (tmp_path / name / leftover / "X").mkdir(parents=True)
            write_table(tmp_path / name / "t.zarr", table(10))
        write_table(tmp_path / name / "t.zarr", table())
    one, two = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()}
        for n in ("one", "two")
    )
    assert one == two


def test_a_writer_that_fails_keeps_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.zarr"
    write_table(path, table(10))

    def fail(self: Any, *args: Any, **kwargs: Any) -> None:
        raise OSError("no")

    monkeypatch.setattr(anndata.AnnData, "write_zarr", fail)
    with pytest.raises(OSError, match="no"):
        write_table(path, table())
    assert len(read_table(path).obs) == 10


def test_no_table_is_corrupt_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="same command"):
        read_table(tmp_path / "t.zarr")
