"""Files are whole or absent: a full disk, a failed write or a killed writer never leaves half of one under its name."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest

from tile_engine.errors import CorruptError, SettingsError, UnfinishedError
from tile_engine.stores import files
from tile_engine.stores.array import ArraySpec, StoredArray
from tile_engine.stores.files import checksum, partial_path, ranges, read_json, target_of, write_json, write_whole
from tile_engine.stores.frame import Box
from tile_engine.stores.ours import check_links


def full(self: Path, target: Path) -> Path:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_write_makes_its_folders_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c"
    assert write_whole(path, b"one") == 3 and write_whole(path, b"three") == 5
    assert path.read_bytes() == b"three" and [p.name for p in path.parent.iterdir()] == ["c"]


def test_a_full_disk_keeps_the_old_file_leaves_nothing_half_written_and_asks_for_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c"
    write_whole(path, b"old")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UnfinishedError, match="run the same command again") as caught:
        write_whole(path, b"new")
    assert caught.value.exit_status == 75 and caught.value.code == "E_DISK_FULL"
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["c"]


def test_a_write_that_fails_names_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a broken disk below the results is told from a slide that cannot be read."""

    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output error") as caught:
        write_whole(tmp_path / "file", b"data", durable=True)
    assert caught.value.filename == str(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_the_same_value_gives_the_same_bytes_and_comes_back(tmp_path: Path) -> None:
    value = {"b": [1.5, None, "Zürich"], "a": {"deep": True}}
    write_json(tmp_path / "a.json", value)
    write_json(tmp_path / "b.json", value)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_json(tmp_path / "a.json") == value


def test_numbers_that_json_does_not_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", [b"", b'{"a": ', b"\xff\xfe"])
def test_what_is_no_json_is_corrupt_and_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(CorruptError, match=r"a\.json"):
        read_json(tmp_path / "a.json")


def test_the_checksum_is_crc32c_of_bytes_and_views() -> None:
    assert checksum(b"123456789") == 0xE3069283 == google_crc32c.value(b"123456789")
    assert checksum(memoryview(b"123456789")) == 0xE3069283


def test_a_file_that_is_being_written_has_a_name_that_nobody_else_gives(tmp_path: Path) -> None:
    assert target_of(partial_path(tmp_path / "run.json").name) == "run.json"
    others = (".notes.1234.partial", ".notes.1234567.partial", ".notes.DEADBEEF.partial", "notes.deadbeef.partial")
    assert not any(map(target_of, (*others, ".deadbeef.partial", ".notes.deadbeef.part", "..deadbeef.partial")))


def test_a_handle_that_a_network_disk_calls_stale_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing, reading a document and reading a shard all get over it; a disk that goes on so is an error."""
    monkeypatch.setattr(files, "STALE_PAUSE_SECONDS", (0.0, 0.0))
    stale: list[str] = []

    def once(name: str, function: Any) -> Any:
        def act(*args: Any, **options: Any) -> Any:
            if name not in stale:
                stale.append(name)
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            return function(*args, **options)

        return act

    spec = ArraySpec((64, 64), "uint8", (64, 64), (16, 16), ("y", "x"))
    values = np.arange(64 * 64, dtype=np.uint64).astype(np.uint8).reshape(64, 64)
    monkeypatch.setattr(Path, "replace", once("replace", Path.replace))
    array = StoredArray.create(tmp_path / "a", spec)
    array.write(Box((0, 0), (64, 64)), values)
    monkeypatch.setattr(files, "read_regular", once("read", files.read_regular))
    assert read_json(tmp_path / "a" / "zarr.json") == spec.metadata()
    monkeypatch.setattr(os, "pread", once("pread", os.pread))
    assert (array.read_all() == values).all()
    assert stale == ["replace", "read", "pread"] and {p.name for p in (tmp_path / "a").iterdir()} == {"zarr.json", "c"}

    def always(*args: Any) -> bytes:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(os, "pread", always)
    with pytest.raises(OSError, match=r"(?i)stale"):
        array.read_all()


def test_a_document_or_a_shard_that_is_a_pipe_is_no_document_and_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(CorruptError, match="no regular file"):
        read_json(tmp_path / "run.json")
    with pytest.raises(CorruptError, match="no regular file"), ranges(tmp_path / "run.json"):
        pass


def test_a_shard_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "0").symlink_to(tmp_path / "secret")
    with pytest.raises(CorruptError, match="it is a link"), ranges(tmp_path / "0"):
        pass


def test_links_and_pipes_in_the_folders_of_out_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    chunks = out / "slides" / "a.ome.zarr" / "0"
    chunks.mkdir(parents=True)
    (out / "notes").symlink_to(tmp_path)
    check_links(out)
    for plant in (lambda path: path.symlink_to(tmp_path), os.mkfifo):
        plant(chunks / "c")
        with pytest.raises(SettingsError, match=r"slides/a\.ome\.zarr/0/c is a link, a pipe") as caught:
            check_links(out)
        assert caught.value.code == "E_FOREIGN"
        (chunks / "c").unlink()
    (out / "models").symlink_to(tmp_path)
    with pytest.raises(SettingsError, match="models is a link"):
        check_links(out)
    (tmp_path / "link").symlink_to(chunks.parents[2] / "slides")
    check_links(tmp_path / "link")


def test_parts_of_which_the_kernel_takes_some_are_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A nearly full disk, or more than two gigabytes: fewer bytes are written than were given."""
    parts = [bytes([n % 251]) * (n % 5) for n in range(2 * files.MOST_PARTS + 7)]
    writev = os.writev
    monkeypatch.setattr(files.os, "writev", lambda file, some: writev(file, some[: len(some) // 3]))
    monkeypatch.setattr(files.os, "write", lambda file, rest, write=os.write: write(file, rest[:100]))
    assert files.write_whole(tmp_path / "whole", *parts) == sum(map(len, parts))
    assert (tmp_path / "whole").read_bytes() == b"".join(parts)
