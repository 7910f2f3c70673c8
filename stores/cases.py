"""Cases: the rows that a search compares, an embedding and a few columns each, stored in OUT/index/ as plain arrays.

```text
index/index.json    the table that the index was made from, size and checksum of each file, complete or not
index/vectors.npy   float32 (row, feature), mapped into memory where it lies on a disk
index/columns.npz   columns that describe each row
index/lists.npy     above a million rows: inverted lists for approximate search
index/added.npz     cases that were added later; they belong to no table, and stay when the index is rebuilt
```
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CorruptError, SettingsError
from .array_files import as_written, npy_bytes, read_npy, read_npz
from .files import crc32, read_json, write_json, write_whole
from .frame import Array
from .regular import read_regular

INDEX_MARK = "index"
"""Value of the key `tile_engine` in index.json, which marks the folder as ours."""


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of repeated texts, stored as integers and names."""

    codes: Array
    """int32 (row,); index into `names`."""
    names: Array
    """str, each once."""

    @classmethod
    def of(cls, texts: Iterable[str]) -> TextColumn:
        names, codes = np.unique(np.array([str(t) for t in texts], np.str_), return_inverse=True)
        return cls(codes.astype(np.int32), names)

    def where(self, text: str) -> Array:
        """Rows with exactly this text."""
        found = np.flatnonzero(self.names == text)
        return np.flatnonzero(self.codes == found[0]) if len(found) else found

    def __getitem__(self, row: int) -> str:
        return str(self.names[self.codes[row]])

    def joined(self, other: TextColumn) -> TextColumn:
        """This column and `other`, one after the other."""
        names, at = np.unique(np.concatenate([self.names, other.names]), return_inverse=True)
        codes = np.concatenate([at[self.codes], at[len(self.names) :][other.codes]])
        return TextColumn(codes.astype(np.int32), names)


@dataclass(frozen=True, slots=True)
class Cases:
    """The rows of a search: vectors, columns of text, columns of numbers."""

    vectors: Array
    """float32 (row, feature)."""
    words: Mapping[str, TextColumn] = field(default_factory=dict)
    numbers: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.vectors)

    def text(self, name: str, row: int) -> str:
        """The text of a column in a row; empty if there is no such column."""
        return self.words[name][row] if name in self.words else ""

    def number(self, name: str, row: int) -> float | None:
        return float(self.numbers[name][row]) if name in self.numbers else None

    def rows(self, which: Array) -> Cases:
        """Some of the rows."""
        return Cases(
            self.vectors[which],
            {n: TextColumn(w.codes[which], w.names) for n, w in self.words.items()},
            {n: v[which] for n, v in self.numbers.items()},
        )

    def with_rows(self, other: Cases) -> Cases:
        """These rows, then those of `other`, which has the same columns."""
        return Cases(
            np.concatenate([self.vectors, other.vectors]),
            {n: w.joined(other.words[n]) for n, w in self.words.items()},
            {n: np.concatenate([v, other.numbers[n]]) for n, v in self.numbers.items()},
        )

    def unencoded(self, features: int) -> Cases:
        """These rows without embeddings: vectors of `features` zeros, and no `model` that made them."""
        words = {**self.words, "model": TextColumn.of([""] * len(self))}
        return Cases(np.zeros((len(self), features), np.float32), words, self.numbers)


@dataclass(frozen=True, slots=True)
class StoredIndex:
    """The index of OUT, with its document and its inverted lists, if any."""

    cases: Cases
    document: Mapping[str, Any]
    lists: Array | None


def read_index(root: Path, table: str) -> StoredIndex | None:
    """The index of the table with this fingerprint; None if there is none, or only that of another table.

    An index that is replaced while it is read is not returned.
    """
    document = _document(root)
    if document is None or document.get("status") != "complete" or document.get("table") != table:
        return None
    try:
        if any((root / name).stat().st_size != size for name, (size, _) in document["files"].items()):
            return None
        cases = _unpacked(root / "columns.npz", read_npy(root / "vectors.npy"))
        lists = read_npy(root / "lists.npy") if "lists.npy" in document["files"] else None
    except (FileNotFoundError, CorruptError):
        return None
    return StoredIndex(cases, document, lists) if _document(root) == document else None


def write_index(root: Path, index: StoredIndex) -> None:
    """Replace the index; sizes and checksums of its files are added to the document.

    Raises SettingsError (E_FOREIGN) if the folder holds files that tile-engine did not write.
    """
    check_not_foreign(root)
    document = {"tile_engine": INDEX_MARK, **index.document}
    write_json(root / "index.json", document | {"status": "incomplete"})
    files = {"vectors.npy": npy_bytes(index.cases.vectors), "columns.npz": _packed(index.cases)}
    if index.lists is not None:
        files["lists.npy"] = npy_bytes(index.lists)
    else:
        (root / "lists.npy").unlink(missing_ok=True)
    for name, data in files.items():
        write_whole(root / name, data)
    sums = {name: [len(data), crc32(data)] for name, data in files.items()}
    write_json(root / "index.json", document | {"files": sums, "status": "complete"})


def forget_index(root: Path) -> None:
    """Mark the index as incomplete, so that the next search rebuilds it."""
    write_json(root / "index.json", {"tile_engine": INDEX_MARK, "status": "incomplete"})


def read_added(root: Path) -> Cases | None:
    """The added cases; None if there are none. Raises CorruptError for a damaged file."""
    path = root / "added.npz"
    if not path.exists():
        return None
    cases = _unpacked(path)
    if not {"id", "path", "model"} <= cases.words.keys():
        raise CorruptError(f"{path} is no file of added cases: tile-engine did not write it. Move it away.")
    return cases


def write_added(root: Path, cases: Cases) -> None:
    """Write the added cases to one file, so that vectors and columns always agree."""
    check_not_foreign(root)
    if _document(root) is None:
        write_json(root / "index.json", {"tile_engine": INDEX_MARK, "status": "incomplete"})
    write_whole(root / "added.npz", _packed(cases, vectors=True), durable=True)


def check_not_foreign(root: Path) -> None:
    """Raises SettingsError (E_FOREIGN) if OUT/index/ holds files and no document of ours."""
    try:
        if root.is_symlink():
            raise CorruptError(f"{root} is a symbolic link.")
        ours = _document(root) is not None
        foreign = () if ours else [root / n for n in INDEX_FILES if (root / n).exists()]
    except CorruptError:
        foreign = [root if root.is_symlink() else root / "index.json"]
    if foreign:
        raise SettingsError(
            f"{foreign[0]} exists, and no search of tile-engine's wrote it: a search would overwrite it. Move it away.",
            "E_FOREIGN",
        )


def damaged(root: Path, *, full: bool) -> list[tuple[str, str, str]]:
    """(kind, name, text) of each problem of an index's files; none if there is no complete index.

    `full` compares checksums, too.
    """
    try:
        document = _document(root) or {}
    except CorruptError:
        document = {}  # foreign, or never finished: a search rebuilds it, or reports it
    problems = []
    for name, (size, crc) in document.get("files", {}).items():
        path = root / name
        size_now = path.stat().st_size if path.exists() else -1
        if size_now != size:
            text = (
                f"the file has {size_now} bytes, {size} were written"
                if size_now >= 0
                else f"the file is missing; {size} bytes were written"
            )
            problems.append(("missing" if size_now < 0 else "size" if size_now else "empty", name, text))
        elif full and (is_now := crc32(read_regular(path))) != crc:
            problems.append(("changed", name, f"the checksum of the file is {is_now:08x}, {crc:08x} was written"))
    try:
        read_added(root)
    except CorruptError as error:
        problems.append(("undecodable", "added.npz", error.message))
    return problems


INDEX_FILES = ("vectors.npy", "columns.npz", "lists.npy")
"""The files of an index that its document names."""


def _document(root: Path) -> dict[str, Any] | None:
    """index.json; None if there is none. Raises CorruptError for one that tile-engine did not write."""
    try:
        value = read_json(root / "index.json")
    except FileNotFoundError:
        return None
    if not (isinstance(value, dict) and value.get("tile_engine") == INDEX_MARK):
        raise CorruptError(f"{root / 'index.json'} is no index of tile-engine's.")
    files = value.get("files", {})
    sums = files.values() if isinstance(files, dict) else [None]
    whole = all(isinstance(pair, list) and [*map(type, pair)] == [int, int] for pair in sums)
    if not whole or not files.keys() <= set(INDEX_FILES):
        raise CorruptError(f"{root / 'index.json'} names files that no index of tile-engine's has.")
    return value


def _packed(cases: Cases, *, vectors: bool = False) -> bytes:
    """Cases as npz bytes: a column of text is stored as `<column>` (codes) and `<column>.names`."""
    arrays = dict(cases.numbers)
    for name, words in cases.words.items():
        arrays |= {name: words.codes, f"{name}.names": words.names}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays, **({"vectors": cases.vectors} if vectors else {}))
    return buffer.getvalue()


def _unpacked(path: Path, vectors: Array | None = None) -> Cases:
    arrays = read_npz(path)
    with as_written(path):
        vectors = arrays.pop("vectors") if vectors is None else vectors
        names = {n: arrays.pop(f"{n}.names") for n in list(arrays) if f"{n}.names" in arrays}
        words = {n: TextColumn(arrays.pop(n), names[n]) for n in names}
        if any(len(c) != len(vectors) for c in (*arrays.values(), *(w.codes for w in words.values()))):
            raise ValueError(f"columns of another length than its {len(vectors)} vectors")
        for word in words.values():
            low, high = (word.codes.min(), word.codes.max()) if word.codes.size else (0, -1)
            if word.codes.dtype.kind not in "iu" or low < 0 or high >= len(word.names):
                raise ValueError("a column refers to words that it does not have")
        return Cases(vectors, words, arrays)
