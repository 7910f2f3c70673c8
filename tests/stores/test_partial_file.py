"""A file written in parts is whole or absent, whatever ends the writing."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from tile_engine.errors import UnfinishedError
from tile_engine.stores.files import crc32
from tile_engine.stores.partial_file import PartialFile, crc32_of


def test_it_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.bin"
    with PartialFile(path) as file:
        file.write(b"one")
        file.write(b"two")
        written = file.close()
        assert not path.exists() and len(list(path.parent.iterdir())) == 1
        file.commit()
    assert path.read_bytes() == b"onetwo" and list(path.parent.iterdir()) == [path]
    assert (written.path, written.size, written.crc32) == (path, 6, crc32(b"onetwo")) and crc32_of(
        path
    ) == written.crc32


def test_without_a_commit_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), PartialFile(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    class Full:
        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None: ...

    with pytest.raises(UnfinishedError, match="No space left") as full, PartialFile(tmp_path / "a.bin") as file:
        opened: Any = file._file
        opened.close()
        file._file = Full()  # type: ignore[assignment]
        file.write(b"one")
    assert full.value.code == "E_DISK_FULL" and not list(tmp_path.iterdir())
