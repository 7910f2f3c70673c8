"""DICOM frames: the bytes of each frame of one DICOM file, by its number, without reading the others.

```text
native        |frame 0|frame 1|...                                      frames of equal size, one behind the other
encapsulated  |item: table of offsets|item: frame 0|item: frame 1|...   a frame may be several items ("fragments")
```
"""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import SlideError, TileError
from ..frame import Array
from .dicom_positions import IMPLICIT

_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_OPEN_END = b"\xff\xff\xff\xff"
_LOST = -1
MAX_FRAGMENTS = 64
"""Items of one frame, on average, at most."""
MAX_LOOKED_AT = 4096
"""Offsets of a table that are compared with the file, as each may cost one access to a disk."""
_FIRST_BYTES = (b"\xff\xd8", b"\xff\x4f", b"\xff\x0a", b"\0\0\0\x0c")
"""Of the first fragment of a frame: JPEG and JPEG-LS, JPEG 2000, JPEG XL, and their boxes."""


class Frames:
    """The frames of an open file; `read` is safe for threads."""

    def __init__(self, fd: int, name: str, dataset: Any, at: int) -> None:
        """`at` is the position of the element with the pixels. Raises SlideError if it cannot be followed."""
        self._fd, self._name = fd, name
        self.syntax = str(dataset.file_meta.TransferSyntaxUID)
        self.count = int(dataset.get("NumberOfFrames") or 1)
        explicit = self.syntax != IMPLICIT
        head = os.pread(fd, 12, at)
        if len(head) < 12 or struct.unpack_from("<HH", head) != (0x7FE0, 0x0010):
            raise SlideError(f"{name}: has no pixels, or is cut short before them. Copy it again.", "E_UNREADABLE")
        self._start = at + (12 if explicit else 8)
        self.encapsulated = head[8 if explicit else 4 :].startswith(_OPEN_END)
        bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated)
        self._bytes = bits // 8
        if not 0 < self.count <= os.fstat(fd).st_size // (8 if self.encapsulated else 1):
            raise SlideError(
                f"{name}: states {self.count} frames, and its {os.fstat(fd).st_size} bytes cannot hold them. Copy it again.",
                "E_UNREADABLE",
            )
        self._spans = self._encapsulated(dataset, self._start) if self.encapsulated else None

    def read(self, number: int) -> bytes:
        """The encoded bytes of a frame. Raises TileError (E_TRUNCATED) where the file ends before them."""
        if self._spans is None:
            start, stop = self._start + number * self._bytes, self._start + (number + 1) * self._bytes
        else:
            start, stop = (int(n) for n in self._spans[number])
        data = os.pread(self._fd, stop - start, start) if start != _LOST else b""
        if start == _LOST or len(data) < stop - start:
            raise TileError(
                f"{self._name}: the file ends before the end of frame {number}; it is cut short. Copy it again.",
                "E_TRUNCATED",
            )
        return self._payload(data, number) if self.encapsulated else data

    def behind_end(self) -> Array:
        """Whether each frame lies, in part, behind the end of the file; bool (frame,)."""
        size = os.fstat(self._fd).st_size
        if self._spans is None:
            return np.asarray(self._start + (np.arange(self.count) + 1) * self._bytes > size)
        return np.asarray((self._spans[:, 0] == _LOST) | (self._spans[:, 1] > size))

    def _payload(self, data: bytes, number: int) -> bytes:
        """The contents of the items of a frame, which fill its bytes but for one of padding."""
        parts, end = [], 0
        while end + 8 <= len(data) and struct.unpack_from("<HH", data, end) == _ITEM:
            begin = end + 8
            end = begin + struct.unpack_from("<I", data, end + 4)[0]
            parts.append(data[begin:end])
        if not 0 <= end - len(data) <= 1:
            raise TileError(
                f"{self._name}: the items of frame {number} are not where its table of offsets says; the file is damaged.",
                "E_DAMAGED_TILE",
            )
        return b"".join(parts)

    def _encapsulated(self, dataset: Any, start: int) -> Array:
        """(start, stop) of the items of each frame: from a table of offsets where there is one, else by walking the items."""
        tag, length = self._item(start)
        if tag != _ITEM:
            raise SlideError(f"{self._name}: its compressed pixels do not begin with an item.", "E_UNREADABLE")
        table, first = os.pread(self._fd, length, start + 8), start + 8 + length
        extended = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
        if all(extended) and all(len(part) == 8 * self.count for part in extended):
            begins, sizes = (np.frombuffer(part, "<u8").astype(np.int64) for part in extended)
            return np.stack([first + begins, first + begins + 8 + sizes], 1)
        if len(table) == 4 * self.count:
            begins = first + np.frombuffer(table, "<u4").astype(np.int64)
            if self._holds(begins):
                return np.stack([begins, np.append(begins[1:], self._end(int(begins[-1])))], 1)
        return self._walked(first)

    def _holds(self, begins: Array) -> bool:
        """Whether a table can be right: its offsets ascend, and an item is at each that is looked at. Those of files above 4 GB
        begin again at 0 in some."""
        looked_at = begins[:: -(-len(begins) // MAX_LOOKED_AT)]
        return bool((np.diff(begins) > 0).all()) and all(
            self._item(int(at))[0] == _ITEM for at in (*looked_at, begins[-1])
        )

    def _walked(self, first: int) -> Array:
        walk = itertools.islice(self._items(first), MAX_FRAGMENTS * self.count)
        items = [(at, at + 8 + length) for at, length in walk]
        if len(items) > self.count:  # several a frame: each begins with the first bytes of its format
            begins = [at for at, _ in items if os.pread(self._fd, 12, at + 8).startswith(_FIRST_BYTES)]
            if len(begins) != self.count:
                raise SlideError(
                    f"{self._name}: {len(items)} fragments without a table of offsets cannot be told apart as {self.count} "
                    "frames. Write the file anew with a table of offsets.",
                    "E_UNREADABLE",
                )
            return np.stack([begins, [*begins[1:], items[-1][1]]], 1)
        return np.array([*items, *[(_LOST, _LOST)] * (self.count - len(items))], np.int64)

    def _item(self, at: int) -> tuple[tuple[int, int], int]:
        head = os.pread(self._fd, 8, at)
        if len(head) < 8:
            return _END, 0
        group, element, length = struct.unpack("<HHI", head)
        return (group, element), length

    def _items(self, at: int) -> Iterator[tuple[int, int]]:
        """(position, length) of the items from a position to the end of the pixels, or of the file."""
        while (item := self._item(at))[0] == _ITEM:
            yield at, item[1]
            at += 8 + item[1]

    def _end(self, at: int) -> int:
        return max((begin + 8 + length for begin, length in self._items(at)), default=at)
