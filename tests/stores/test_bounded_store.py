"""Zarr reads no more of a file than the array's chunks can need; of a file that a disk does not give, nothing is guessed."""

from __future__ import annotations

import errno
import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, GzipCodec

from tile_engine.errors import TileError
from tile_engine.stores.bounded_store import BoundedStore
from tile_engine.stores.bounded_zarr import open_bounded, read_box
from tile_engine.stores.files import checksum
from tile_engine.stores.frame import Box
from tile_engine.stores.slides.reader import open_slide
from tile_engine.stores.slides.zarr_chunks import ChunkFiles

WHOLE = (slice(0, 64), slice(0, 64))
NOISE = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)


def array(folder: Path, zarr_format: Any = 3, **options: Any) -> Path:
    """An array of noise, which no codec packs; returns the file of its first chunk."""
    shared = {"shape": NOISE.shape, "dtype": "u1", "chunks": (16, 16), "zarr_format": zarr_format} | options
    zarr.create_array(folder, **shared)[...] = NOISE
    return folder / ("0.0" if zarr_format == 2 else "c/0/0")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_file_that_is_larger_than_its_chunk_can_be_is_not_read(tmp_path: Path, zarr_format: Any) -> None:
    os.truncate(array(tmp_path, zarr_format), 2**40)
    opened = open_bounded(tmp_path, zarr_format)
    with pytest.raises(ValueError, match="1099511627776 bytes, where its pixels need 65968"):
        read_box(opened, WHOLE)
    np.testing.assert_array_equal(read_box(opened, (slice(16, 64), slice(0, 64))), NOISE[16:])


@pytest.mark.parametrize("document", [".zattrs", ".zarray"])
def test_a_document_without_end_is_not_read(tmp_path: Path, document: str) -> None:
    array(tmp_path, 2)
    (tmp_path / document).touch()
    os.truncate(tmp_path / document, 2**40)
    with pytest.raises(ValueError, match="1099511627776 bytes"):
        open_bounded(tmp_path, 2)


@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("entry", [(0, 2**62), (2**62, 8), (2**64 - 8, 4), (2**63, 2**63)])
def test_an_index_that_states_bytes_beyond_the_file_costs_its_chunk(tmp_path: Path, place: str, entry: Any) -> None:
    shard = array(tmp_path, shards={"shape": (64, 64), "index_location": place}, compressors=None)
    data = bytearray(shard.read_bytes())
    index = 0 if place == "start" else len(data) - 16 * 16 - 4
    data[index : index + 16] = struct.pack("<QQ", *entry)
    data[index + 256 : index + 260] = struct.pack("<I", checksum(bytes(data[index : index + 256])))
    shard.write_bytes(data)
    opened = open_bounded(tmp_path, 3)
    for box in ((slice(0, 16), slice(0, 16)), WHOLE):
        with pytest.raises(Exception) as caught:
            read_box(opened, box)
        assert not isinstance(caught.value, MemoryError)
    np.testing.assert_array_equal(read_box(opened, (slice(16, 48), slice(0, 64))), NOISE[16:48])


@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("codec", [None, GzipCodec(level=0), BloscCodec(cname="lz4", clevel=0)])
def test_chunks_of_few_bytes_in_codecs_of_many_are_read(tmp_path: Path, place: str, codec: Any) -> None:
    zarr.create_array(
        tmp_path, shape=(16, 16), dtype="u1", chunks=(1, 1), compressors=codec,
        shards={"shape": (16, 16), "index_location": place},
    )[...] = NOISE[:16, :16]  # fmt: skip
    opened = open_bounded(tmp_path, 3)
    np.testing.assert_array_equal(read_box(opened, (slice(0, 16), slice(0, 16))), NOISE[:16, :16])
    np.testing.assert_array_equal(read_box(opened, (slice(3, 9), slice(12, 16))), NOISE[3:9, 12:16])


def test_a_pipe_in_the_place_of_a_chunk_is_not_opened(tmp_path: Path) -> None:
    chunk = array(tmp_path)
    chunk.unlink()
    os.mkfifo(chunk)
    with pytest.raises(ValueError, match="no regular file"):
        read_box(open_bounded(tmp_path, 3), WHOLE)


def test_the_store_is_for_reading() -> None:
    assert BoundedStore("/").read_only


@pytest.mark.parametrize(
    ("number", "lost", "asked"),
    [
        (errno.EIO, "cannot be read: Input/output error", 1), (errno.ESTALE, "", 2), (errno.EACCES, "Permission denied", 1),
        (errno.ENOTDIR, "file without content", 1), (errno.ELOOP, "file without content", 1),
    ],
)  # fmt: skip
def test_what_the_disk_says_is_said_and_only_no_file_is_no_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, lost: str, asked: int
) -> None:
    chunk, box = array(tmp_path), Box((0, 0), (16, 16))
    files = ChunkFiles(tmp_path, open_bounded(tmp_path, 3), "yx", {}, every=True)
    look, answers = Path.stat, list[Path]()

    def fail(path: Path, **options: Any) -> os.stat_result:
        if path == chunk:
            answers.append(path)
            if len(answers) == 1:
                raise OSError(number, os.strerror(number), str(path))
        return look(path, **options)

    monkeypatch.setattr(Path, "stat", fail)
    found = files.lost_in(box)
    assert (lost in found if lost else found == "") and len(answers) == asked and files.missing_in(box) == []
    if "cannot be read" in found:
        assert files.lost_in(box) == ""  # the disk is asked again


def test_a_disk_that_fails_costs_a_tile_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array(tmp_path / "0", chunks=(64, 64))
    image = {"axes": [{"name": n, "type": "space"} for n in "yx"], "datasets": [{"path": "0"}]}
    group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", "multiscales": [image]}}}
    (tmp_path / "zarr.json").write_text(json.dumps(group))
    monkeypatch.setattr(
        ChunkFiles, "_look_at", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error"))
    )
    with open_slide(tmp_path, 0.5) as slide, pytest.raises(TileError, match="Input/output error"):
        slide.read(Box((0, 0), (64, 64)))
