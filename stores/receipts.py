"""Receipts: one small JSON document per finished unit, with size and checksum of each file that the unit wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CorruptError
from .array import Written
from .files import crc32, read_json, write_json
from .inside import is_inside
from .remote import ObjectPath


@dataclass(frozen=True, slots=True)
class Receipt:
    """Record of a finished unit: its files, its times and its counts."""

    unit: str
    fingerprint: str
    files: tuple[tuple[str, int, int], ...]
    """(path below OUT, bytes, crc32 of them)"""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall seconds spent in read, compute and write."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Values for later stages: counts, masked boxes. JSON values only."""


class Ledger:
    """The receipts of one stage under one fingerprint of its settings."""

    def __init__(self, out: Path, stage: str, fingerprint: str) -> None:
        self.out = out
        self.folder = out / "receipts" / stage
        self.fingerprint = fingerprint
        self._listed: dict[str, dict[str, int]] = {}

    def path(self, unit: str) -> Path:
        return self.folder / f"{unit}.json"

    def find(self, unit: str) -> Receipt | None:
        """The unit's receipt, if its fingerprint fits and every file has its recorded size; else None."""
        try:
            receipt = self.read(unit)
        except CorruptError:  # a damaged receipt counts as none
            return None
        sound = receipt is not None and all(self._sound(path, size) for path, size, _ in receipt.files)
        return receipt if sound else None

    def _sound(self, path: str, size: int) -> bool:
        """Whether a file has its recorded size; in an object store one listing, kept by this ledger, serves many files."""
        if isinstance(self.out, ObjectPath):
            home = "/".join(path.split("/")[:2])
            if home not in self._listed:
                found = (self.out / home).listing()
                self._listed[home] = {f"{home}/{p.relative_to(self.out / home).as_posix()}": n for p, n in found}
            if self._listed[home].get(path) == size:
                return True
        return _size(self.out / path) == size

    def read(self, unit: str) -> Receipt | None:
        """The unit's receipt without a check of its files; None if there is none with this fingerprint.

        Raises CorruptError for a damaged receipt.
        """
        try:
            receipt = read_receipt(self.path(unit))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return receipt if receipt.fingerprint == self.fingerprint else None

    def write(
        self, unit: str, files: Sequence[Written], *, seconds: Mapping[str, float], facts: Mapping[str, Any]
    ) -> Receipt:
        """Write a receipt, after all files of the unit."""
        named = tuple((w.path.relative_to(self.out).as_posix(), w.size, w.crc32) for w in files)
        receipt = Receipt(unit, self.fingerprint, named, {k: round(v, 4) for k, v in seconds.items()}, facts)
        raw = asdict(receipt)
        write_json(self.path(unit), raw | {"crc32": _sum(raw)})
        return receipt

    def all(self, prefix: str = "") -> Iterator[Receipt]:
        """Every valid receipt of units below the folder `prefix`, in order of their names."""
        if not (self.folder / prefix).is_dir():
            return
        for path in sorted((self.folder / prefix).rglob("*.json")):
            receipt = self.find(path.relative_to(self.folder).with_suffix("").as_posix())
            if receipt is not None:
                yield receipt


def is_receipt(path: Path, unit: str) -> bool:
    """Whether a file is a receipt of that unit, under any settings."""
    try:
        return read_receipt(path).unit == unit
    except CorruptError:
        return False


def read_receipt(path: Path) -> Receipt:
    raw = read_json(path)
    try:
        if raw.pop("crc32") != _sum(raw):
            raise ValueError("its checksum differs")
        receipt = Receipt(**raw | {"files": tuple(map(tuple, raw["files"]))})
        if not all(is_inside(name) for name, _, _ in receipt.files):
            raise ValueError("it names a file outside of the results")
        return receipt
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"{path} is not the receipt that was written there ({error}).") from error


def _sum(raw: Mapping[str, Any]) -> int:
    """Checksum of a receipt's values: a damaged count would reach the results."""
    return crc32(json.dumps(raw).encode())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return -1
