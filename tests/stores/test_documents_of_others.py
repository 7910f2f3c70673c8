"""Documents and arrays in OUT that are damaged, or that somebody else wrote: E_CORRUPT with the file's name, at once."""

from __future__ import annotations

import io
import json
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from tile_engine.errors import CorruptError
from tile_engine.stores.array import ArraySpec, StoredArray
from tile_engine.stores.array_files import npy_bytes, read_npy, read_npz
from tile_engine.stores.cases import read_added, read_index
from tile_engine.stores.files import checksum, read_json
from tile_engine.stores.frame import Frame
from tile_engine.stores.image import ImageSpec, StoredImage, labels_listed
from tile_engine.stores.tables import read_table, write_table

Change = Callable[[Any], object]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff\xfe", b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": ' + b"9" * 5000 + b"}", b"[" * 200_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=["empty", "open", "no UTF-8", "NaN", "Infinity", "5000 digits", "deep list", "deep object"],
)  # fmt: skip
def test_what_is_no_json_of_ours_is_corrupt_by_name_within_a_second(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "run.json").write_bytes(data)
    began = time.monotonic()
    with pytest.raises(CorruptError, match=r"run\.json") as caught:
        read_json(tmp_path / "run.json")
    assert caught.value.exit_status == 7 and time.monotonic() - began < 1


def test_a_folder_or_an_endless_file_in_the_place_of_a_document_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    with pytest.raises(CorruptError, match=r"run\.json"):
        read_json(tmp_path / "run.json")
    with (tmp_path / "slides.json").open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(CorruptError, match="2147483648 bytes"):
        read_json(tmp_path / "slides.json")


def image(path: Path) -> StoredImage:
    spec = ImageSpec((Frame(("y", "x"), (40, 50), (1.0, 1.0)),), 3, "uint8", (32, 32), (16, 16))
    stored = StoredImage.create(path, spec)
    for box in stored.levels[0].spec.shards:
        stored.levels[0].write(box, np.full(box.shape, 7, np.uint8))
    stored.finish(name="a")
    return stored


def changed(path: Path, change: Change) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(attributes=5), lambda m: m["attributes"].update(tile_engine=[]),
        lambda m: m["attributes"].pop("ome"),
        lambda m: m["attributes"].update(ome=[]), lambda m: m["attributes"]["ome"].update(multiscales=[]),
        lambda m: m["attributes"]["ome"]["multiscales"][0].update(datasets=[]),
        lambda m: m["attributes"]["ome"]["multiscales"][0].update(datasets={"path": "0"}),
        lambda m: m["attributes"]["ome"]["multiscales"][0]["datasets"][0].update(path="../../x"),
        lambda m: m["attributes"]["ome"]["multiscales"][0]["axes"].pop(),
        lambda m: m["attributes"]["ome"]["multiscales"][0]["axes"].reverse(),
        lambda m: m["attributes"]["ome"]["multiscales"][0]["datasets"][0].update(coordinateTransformations=[{}]),
        lambda m: m["attributes"]["tile_engine"].update(reference="x"),
        lambda m: m["attributes"]["tile_engine"].update(coordinateTransformations=5),
    ],
)  # fmt: skip
def test_metadata_of_an_image_that_were_changed_are_corrupt_by_name(tmp_path: Path, change: Change) -> None:
    image(tmp_path / "a.ome.zarr")
    changed(tmp_path / "a.ome.zarr" / "zarr.json", change)
    with pytest.raises(CorruptError, match=r"a\.ome\.zarr"):
        StoredImage.open(tmp_path / "a.ome.zarr")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(shape=[2**40, 3, 3]), lambda m: m.update(shape="x"), lambda m: m.update(data_type="object"),
        lambda m: m.update(data_type=5), lambda m: m.update(fill_value=None), lambda m: m.update(fill_value={}),
        lambda m: m.update(dimension_names=["y"]), lambda m: m.update(dimension_names=[1, 2, 3]), lambda m: m.update(codecs={}),
        lambda m: m["chunk_grid"]["configuration"].update(chunk_shape=[3, 2**20, 2**20]),
        lambda m: m["chunk_grid"]["configuration"].update(chunk_shape=[0, 0, 0]),
        lambda m: m["codecs"][0]["configuration"].update(chunk_shape=[3, 5, 7]),
        lambda m: m["codecs"][0]["configuration"].update(codecs=[]),
    ],
)  # fmt: skip
def test_metadata_of_an_array_that_were_changed_are_corrupt_by_name(tmp_path: Path, change: Change) -> None:
    image(tmp_path / "a.ome.zarr")
    changed(tmp_path / "a.ome.zarr" / "0" / "zarr.json", change)
    with pytest.raises(CorruptError, match=r"a\.ome\.zarr"):
        StoredImage.open(tmp_path / "a.ome.zarr").read(Frame(("y", "x"), (40, 50), (1.0, 1.0)).box)


def test_labels_that_are_no_names_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    for value, listed in ((5, []), (["tissue", "../x", 7], ["tissue"]), ({"a": 1}, [])):
        (tmp_path / "labels" / "zarr.json").write_text(json.dumps({"attributes": {"labels": value}}))
        assert labels_listed(tmp_path) == listed


def shard_of(chunk: bytes, offset: int = 0, length: int | None = None) -> bytes:
    """A shard of one chunk, with checksums that are right."""
    data = chunk + checksum(chunk).to_bytes(4, "little")
    index = struct.pack("<QQ", offset, len(data) if length is None else length)
    return data + index + checksum(index).to_bytes(4, "little")


@pytest.mark.parametrize(
    "shard",
    [
        shard_of(struct.pack("<BBBBIII", 2, 1, 0x21, 1, 2**31 - 17, 2**31 - 17, 24) + bytes(8)),
        shard_of(struct.pack("<BBBBIII", 2, 1, 0x21, 1, 8, 8, 24) + bytes(8)),
        shard_of(b"x" * 24),
        shard_of(b"x" * 24, length=2**60),
        shard_of(b"x" * 24, offset=2**63),
    ],
    ids=["states 2 GB", "states less", "noise", "endless", "behind the end"],
)
def test_a_shard_that_checksums_cannot_tell_from_ours_takes_no_memory(tmp_path: Path, shard: bytes) -> None:
    array = StoredArray.create(tmp_path / "a", ArraySpec((16, 16), "uint8", (16, 16), (16, 16), ("y", "x")))
    path = array.shard_path((0, 0))
    path.parent.mkdir(parents=True)
    path.write_bytes(shard)
    with pytest.raises(CorruptError, match="a/c/0/0"):
        array.read_all()


def npz(path: Path, name: str, member: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, member)
    return path


def test_an_index_takes_no_more_memory_than_it_has_bytes(tmp_path: Path) -> None:
    zeros = npy_bytes(np.zeros(2**22, np.uint8))
    with pytest.raises(CorruptError, match="packed"):
        read_npz(npz(tmp_path / "bomb.npz", "a.npy", zeros, zipfile.ZIP_DEFLATED))
    claim = io.BytesIO()
    np.lib.format.write_array_header_1_0(claim, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    with pytest.raises(CorruptError, match="states the shape"):
        read_npz(npz(tmp_path / "claim.npz", "a.npy", claim.getvalue()))
    (tmp_path / "claim.npy").write_bytes(claim.getvalue())
    for broken in (
        claim.getvalue(),
        b"",
        zeros[:20],
        zeros.replace(b"False", b"Fal{e"),
        zeros.replace(b"'descr'", b"'des(r'"),
    ):
        (tmp_path / "a.npy").write_bytes(broken)
        with pytest.raises(CorruptError, match=r"a\.npy"):
            read_npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(read_npz(npz(tmp_path / "whole.npz", "a.npy", zeros))["a"], np.zeros(2**22))


@pytest.mark.parametrize("files", [5, ["vectors.npy"], {"vectors.npy": 3}, {"vectors.npy": [1]}, {"../x": [1, 2]}])
def test_an_index_whose_document_is_odd_is_corrupt_by_name(tmp_path: Path, files: Any) -> None:
    document = {"tile_engine": "index", "status": "complete", "table": "x", "files": files}
    (tmp_path / "index.json").write_text(json.dumps(document))
    with pytest.raises(CorruptError, match=r"index\.json"):
        read_index(tmp_path, "x")


def test_added_cases_that_refer_to_words_they_lack_are_corrupt(tmp_path: Path) -> None:
    names = {f"{name}.names": np.array(["a"]) for name in ("id", "path", "model")}
    codes = {name: np.array([0, 5]) for name in ("id", "path", "model")}
    np.savez(tmp_path / "added.npz", vectors=np.zeros((2, 3), np.float32), **names, **codes)
    with pytest.raises(CorruptError, match=r"added\.npz"):
        read_added(tmp_path)


@pytest.mark.parametrize("change", ["chunk", "empty chunk", "huge", "odd", "bomb", "texts"])
def test_a_damaged_table_is_corrupt_by_name(tmp_path: Path, change: str) -> None:
    import anndata
    import pandas as pd

    obs = pd.DataFrame({"name": ["a", "b", "c"]}, index=["0", "1", "2"])
    write_table(tmp_path / "t.zarr", anndata.AnnData(np.arange(12, dtype=np.float32).reshape(3, 4), obs=obs))
    np.testing.assert_array_equal(read_table(tmp_path / "t.zarr").X[2], [8, 9, 10, 11])
    document, chunk = tmp_path / "t.zarr" / "X" / "zarr.json", tmp_path / "t.zarr" / "X" / "c" / "0" / "0"
    if change == "bomb":
        chunk.write_bytes(imagecodecs.zstd_encode(bytes(2**24)))
    elif change == "texts":
        texts = tmp_path / "t.zarr" / "obs" / "name" / "c" / "0"
        texts.write_bytes(imagecodecs.zstd_encode((2**31 - 1).to_bytes(4, "little") + bytes(20)))
    elif "chunk" in change:
        chunk.write_bytes(b"" if change == "empty chunk" else b"x" * 40)
    else:
        changed(document, lambda m: m.update(shape=[2**30, 4] if change == "huge" else 5))
    with pytest.raises(CorruptError, match=r"t\.zarr"):
        read_table(tmp_path / "t.zarr")
