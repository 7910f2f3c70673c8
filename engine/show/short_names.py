"""short_names: long names of images shortened in the middle, so that what tells them apart can still be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise, takewhile

from .figure import one_line, shortened

MAX_NAME = 40
"""Characters of a name in a table, at most, unless what tells names apart takes more."""
SEPARATORS = "_-. /"
"""Characters between the parts of a name."""


def distinct_names(names: Iterable[str], length: int = MAX_NAME) -> dict[str, str]:
    """Name -> the name in about `length` characters: the ones that are left out are those that similar names share.

    Different names stay different, at the cost of a longer text where that needs it.

    >>> list(distinct_names([f"a-study-of-many-people-{n}-stained-and-scanned-twice.svs" for n in ("07", "08")], 24).values())
    ['a-stud…07-stained…ce.svs', 'a-stud…08-stained…ce.svs']
    """
    lines = {name: one_line(name) for name in names}
    starts, ends = _first_differences(set(lines.values())), _first_differences({s[::-1] for s in lines.values()})
    short: dict[str, str] = {}
    left = set(lines.values())
    while left:
        found = {line: _cut(line, starts[line], ends[line[::-1]], length) for line in left}
        uses = Counter([*short.values(), *found.values()])
        short |= {line: text for line, text in found.items() if uses[text] == 1 or text == line}
        left = {line for line in left if line not in short}
        length = 2 * length
    return {name: short[line] for name, line in lines.items()}


def _first_differences(lines: set[str]) -> dict[str, int]:
    """Line -> index of the first character that tells it from all other lines."""
    ordered = sorted(lines)
    shared = [_shared(*pair) for pair in pairwise(ordered)]
    return {line: max([*shared[max(0, i - 1) : i + 1], 0]) for i, line in enumerate(ordered)}


def _shared(one: str, other: str) -> int:
    """The number of characters that two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _cut(line: str, start: int, end: int, length: int) -> str:
    """The line in `length` characters: |head…what differs…tail|; `start` and `end` are counted from its two ends."""
    tail = max(1, length * 2 // 5)
    begin, stop = _part(line, start)
    if len(line) <= length or stop < length - tail or _part(line, len(line) - 1 - end)[0] >= len(line) - tail:
        return shortened(line, length)
    side = max(3, length // 4)
    room = length - 2 * side - 2
    if start - begin > room // 2:
        begin = start - room // 2
    if begin <= side + 1:
        return f"{line[: length - 1 - side]}…{line[-side:]}"
    if begin + room >= len(line) - side - 1:
        return f"{line[:side]}…{line[-(length - 1 - side) :]}"
    return f"{line[:side]}…{line[begin : begin + room]}…{line[-side:]}"


def _part(line: str, at: int) -> tuple[int, int]:
    """Where the part of a name begins and ends that holds the character `at`."""
    ends = [i for i in (line.find(c, at) for c in SEPARATORS) if i >= 0]
    return max(line.rfind(c, 0, at) for c in SEPARATORS) + 1, min(ends, default=len(line))
