"""Receipts count only while their settings and their files are those they name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tile_engine.errors import CorruptError
from tile_engine.stores.array import Written
from tile_engine.stores.files import crc32, write_whole
from tile_engine.stores.receipts import Ledger


def unit(out: Path, name: str, fingerprint: str = "f") -> Path:
    path = out / "slides" / f"{name.replace('/', '-')}.bin"
    write_whole(path, b"12345")
    Ledger(out, "pixels", fingerprint).write(
        name, [Written(path, 5, crc32(b"12345"))], seconds={"read": 0.123456}, facts={"pixels": 7}
    )
    return path


def test_a_receipt_says_what_was_done(tmp_path: Path) -> None:
    unit(tmp_path, "a/0-0")
    found = Ledger(tmp_path, "pixels", "f").find("a/0-0")
    assert found is not None and found.facts == {"pixels": 7} and found.seconds == {"read": 0.1235}
    assert found.files == (("slides/a-0-0.bin", 5, crc32(b"12345")),)


@pytest.mark.parametrize("damage", ["lost", "shorter", "empty", "a folder's place taken"])
def test_a_receipt_whose_file_is_not_what_it_was_does_not_count(tmp_path: Path, damage: str) -> None:
    path = unit(tmp_path, "a/0-0")
    path.unlink()
    if damage == "a folder's place taken":
        path.parent.rmdir()
        path.parent.write_bytes(b"")
    elif damage != "lost":
        path.write_bytes(b"" if damage == "empty" else b"1234")
    assert Ledger(tmp_path, "pixels", "f").find("a/0-0") is None


def test_a_receipt_of_other_settings_or_of_another_step_does_not_count(tmp_path: Path) -> None:
    unit(tmp_path, "a/0-0")
    assert Ledger(tmp_path, "pixels", "g").find("a/0-0") is None
    assert Ledger(tmp_path, "tiles", "f").find("a/0-0") is None
    assert Ledger(tmp_path, "pixels", "f").find("a/0-1") is None


def test_all_lists_the_valid_receipts_of_one_slide_in_order(tmp_path: Path) -> None:
    for name in ("a/1-0", "a/0-0", "ab/0-0", "a/0-1"):
        unit(tmp_path, name)
    unit(tmp_path, "a/2-0", "other")
    unit(tmp_path, "a/3-0").unlink()
    ledger = Ledger(tmp_path, "pixels", "f")
    assert [r.unit for r in ledger.all("a")] == ["a/0-0", "a/0-1", "a/1-0"]
    assert [r.unit for r in ledger.all()] == ["a/0-0", "a/0-1", "a/1-0", "ab/0-0"]
    assert list(ledger.all("nobody")) == []


@pytest.mark.parametrize("left", ["", "{", "[]", "{}"])
def test_a_receipt_that_was_damaged_proves_nothing(tmp_path: Path, left: str) -> None:
    unit(tmp_path, "a/0-0")
    assert Ledger(tmp_path, "pixels", "f").find("a/0-0") is not None
    (tmp_path / "receipts" / "pixels" / "a" / "0-0.json").write_text(left)
    assert Ledger(tmp_path, "pixels", "f").find("a/0-0") is None


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "slides/../../x", "slides\\x", "slides//x", "", "x\0", 7])
def test_a_receipt_that_names_a_file_elsewhere_proves_nothing(tmp_path: Path, name: object) -> None:
    unit(tmp_path, "a/0-0")
    path = tmp_path / "receipts" / "pixels" / "a" / "0-0.json"
    raw = json.loads(path.read_text())
    del raw["crc32"]
    raw["files"] = [[name, 5, 1]]
    path.write_text(json.dumps(raw | {"crc32": crc32(json.dumps(raw).encode())}))
    with pytest.raises(CorruptError, match="outside of the results"):
        Ledger(tmp_path, "pixels", "f").read("a/0-0")
