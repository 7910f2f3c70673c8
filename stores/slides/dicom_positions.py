"""DICOM positions: where each frame of a file lies, read without building an object for each of its attributes.

A sparse slide has a group of attributes for each frame, a hundred thousand of them. pydicom takes some hundred times as long
for them as this walk, so they are taken out of the header before pydicom reads it.

```text
header   |attribute|attribute|(5200,9230) groups of all frames|attribute|(7FE0,0010) pixels
                              `-- item -- (0048,021A) plane position -- item -- (0048,021E) column, (0048,021F) row
```
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_GROUPS, _PIXELS = (0x5200, 0x9230), ((0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010))
_ITEM, _END_OF_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_PLANE, _OPTICAL = (0x0048, 0x021A), (0x0048, 0x0207)
_COLUMN, _ROW, _Z, _PATH = (0x0048, 0x021E), (0x0048, 0x021F), (0x0040, 0x074A), (0x0048, 0x0106)
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_OPEN_END = 0xFFFFFFFF
_DEEPEST = 16
_META = 132
"""Where the meta information begins: behind a preamble and four letters."""
IMPLICIT = "1.2.840.10008.1.2"
_OTHER_SYNTAXES = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
"""Deflated, and big endian."""
Tag = tuple[int, int]
Element = tuple[Tag, int, int, int]
"""(tag, start and stop of the value, position behind the element)."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a frame lies."""

    row: int
    """First pixel along y, from 0."""
    column: int
    z: float | None
    """Micrometres along the optical axis; None where nothing is stated."""
    path: str
    """Identifier of the optical path; empty where nothing is stated."""


def header_and_positions(data: bytes) -> tuple[bytes, list[Position], int]:
    """(the header without the groups of all frames, the positions that they state, where the element of the pixels begins).

    `data` is a file in little endian, or its beginning. Raises ValueError or struct.error where it is not well formed or ends
    before its pixels. A frame without a position ends the list.
    """
    start, syntax = _dataset(data)
    if syntax in _OTHER_SYNTAXES:
        raise ValueError(f"the transfer syntax {syntax} is not read")
    walk = _Walk(data, syntax == IMPLICIT)
    cut, positions = (start, start), list[Position]()
    for tag, begin, end, behind in walk.elements(start, len(data)):
        if tag in _PIXELS:
            return data[: cut[0]] + data[cut[1] : walk.at], positions, walk.at
        if tag == _GROUPS:
            cut, positions = (walk.at, behind), list(walk.positions(begin, end))
    raise ValueError("it has no pixels, or is cut short before them")


def text_of(data: bytes, tag: Tag) -> str:
    """The value of an attribute of the dataset itself, as text, in a file or in its beginning; empty where it is not there."""
    try:
        start, syntax = _dataset(data)
        if syntax in _OTHER_SYNTAXES:
            return ""
        for found, begin, end, _ in _Walk(data, syntax == IMPLICIT).elements(start, len(data)):
            if found == tag and end <= len(data):
                return data[begin:end].decode("latin-1").strip("\0 ")
            if found in _PIXELS:
                return ""
    except (ValueError, struct.error):  # damaged, or the beginning ends before it
        return ""
    return ""


def _dataset(data: bytes) -> tuple[int, str]:
    """(where the dataset begins, behind the meta information; the transfer syntax)."""
    walk, syntax = _Walk(data, False), ""
    for tag, begin, end, _ in walk.elements(_META, len(data)):
        if tag[0] != 0x0002:
            return walk.at, syntax
        if tag == (0x0002, 0x0010):
            syntax = data[begin:end].decode("ascii").strip("\0 ")
    raise ValueError("it ends inside its meta information")


class _Walk:
    """Elements of a dataset in memory; `at` is where the element that was given last begins."""

    def __init__(self, data: bytes, implicit: bool) -> None:
        self._data, self._implicit = data, implicit
        self.at = 0

    def elements(self, at: int, stop: int, depth: int = 0) -> Iterator[Element]:
        """Elements from a position to `stop`, or to the end of the item that they are in."""
        data = self._data
        while at + 8 <= stop:
            group, element, length = struct.unpack_from("<HHI", data, at)
            tag, begin = (group, element), at + 8
            if tag in (_END_OF_ITEM, _END):
                return
            if not self._implicit:
                if data[at + 4 : at + 6] in _LONG:
                    length, begin = struct.unpack_from("<I", data, at + 8)[0], at + 12
                else:
                    length = struct.unpack_from("<H", data, at + 6)[0]
            if length == _OPEN_END and tag not in _PIXELS:
                end = self._end_of_sequence(begin, stop, depth + 1)
                behind = end + 8
            else:
                end = behind = begin + (0 if tag in _PIXELS else length)
            self.at = at
            yield tag, begin, end, behind
            at = behind

    def items(self, at: int, stop: int, depth: int = 0) -> Iterator[tuple[int, int]]:
        """(start, stop) of the contents of each item of a sequence."""
        while at + 8 <= stop:
            group, element, length = struct.unpack_from("<HHI", self._data, at)
            if (group, element) != _ITEM:
                return
            begin = at + 8
            if length == _OPEN_END:
                end = begin
                for *_, end in self.elements(begin, stop, depth + 1):  # noqa: B007 - the last one counts
                    pass
                yield begin, end
                at = end + 8
            else:
                yield begin, begin + length
                at = begin + length

    def _end_of_sequence(self, at: int, stop: int, depth: int) -> int:
        if depth > _DEEPEST:
            raise ValueError(f"sequences lie more than {_DEEPEST} deep in one another")
        for begin, end in self.items(at, stop, depth):
            length = struct.unpack_from("<I", self._data, begin - 4)[0]
            at = end + 8 if length == _OPEN_END else end
        return at

    def positions(self, at: int, stop: int) -> Iterator[Position]:
        for item in self.items(at, stop):
            stated: dict[Tag, bytes] = {}
            for tag, begin, end, _ in self.elements(*item):
                if tag in (_PLANE, _OPTICAL):
                    for inner in self.items(begin, end):
                        stated |= {name: self._data[a:b] for name, a, b, _ in self.elements(*inner)}
                        break
            if len(stated.get(_ROW, b"")) != 4 or len(stated.get(_COLUMN, b"")) != 4:
                return
            row, column = (struct.unpack("<i", stated[name])[0] - 1 for name in (_ROW, _COLUMN))
            z = stated.get(_Z, b"").decode("ascii").strip("\0 ")
            path = stated.get(_PATH, b"").decode("latin-1").strip("\0 ")
            yield Position(row, column, float(z) if z else None, path)
