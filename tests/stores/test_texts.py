"""Texts come back as they were written, in any part, and zarr-python reads the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from tile_engine.errors import CorruptError
from tile_engine.stores import texts
from tile_engine.stores.texts import read_texts, write_texts

TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=5), min_size=1, max_size=20)


@given(TEXTS, st.integers(0, 20), st.integers(0, 20))
def test_any_part_of_the_texts_comes_back(values: list[str], start: int, stop: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "PER_CHUNK", 7)
        path = Path(folder) / "name"
        files = write_texts(path, iter(values), len(values), axis="film")
        assert {file.path for file in files} == {p for p in path.rglob("*") if p.is_file()}
        assert read_texts(path, start, stop).tolist() == values[start:stop]
        assert read_texts(path).tolist() == values
        array = zarr.open_array(path)
        assert array[:].tolist() == values and array.metadata.dimension_names == ("film",)


def test_a_wrong_number_of_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 texts were given for 3 rows"):
        write_texts(tmp_path / "name", ["a", "b"], 3, axis="film")


@pytest.mark.parametrize("damage", [b"", b"not gzip", None])
def test_damaged_chunks_are_named(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "name"
    write_texts(path, ["a", "bc"], 2, axis="film")
    chunk = path / "c" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-9] if damage is None else damage)
    with pytest.raises(CorruptError, match="name"):
        read_texts(path)
