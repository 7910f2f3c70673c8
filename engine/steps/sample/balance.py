"""Balance: the number of patches from each image, so that images and subjects have equal weight."""

from __future__ import annotations

from collections.abc import Sequence


def balance(room: Sequence[int], groups: Sequence[str], total: int) -> list[int]:
    """Divide `total` among slides: equally among groups, then equally within a group; no slide exceeds its `room`.

    >>> balance([100, 100, 5, 100], ["a", "a", "a", "b"], 60)
    [13, 12, 5, 30]
    """
    by_group: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        by_group.setdefault(group, []).append(i)
    share = _pour([sum(room[i] for i in members) for members in by_group.values()], total)
    out = [0] * len(room)
    for members, part in zip(by_group.values(), share, strict=True):
        for i, n in zip(members, _pour([room[i] for i in members], part), strict=True):
            out[i] = n
    return out


def _pour(room: Sequence[int], total: int) -> list[int]:
    """Divide `total` equally among bins of limited capacity (`room`); the excess of a full bin goes to the others."""
    out = [0] * len(room)
    amount = min(total, sum(room))
    while amount:
        open_bins = [i for i, r in enumerate(room) if out[i] < r]
        portion = max(1, amount // len(open_bins))
        for i in open_bins[:amount]:  # if the remainder is smaller than the number of bins, the first bins get one each
            increment = min(portion, room[i] - out[i])
            out[i] += increment
            amount -= increment
    return out
