"""Absent: the parts of a level that its file does not hold: tiles without an offset, chunks that were never written."""

from __future__ import annotations

import numpy as np

from ..frame import Array, Box


def absent_boxes(absent: Array, size: tuple[int, int], box: Box) -> list[Box]:
    """The absent part of `box`, as few boxes; `absent` is bool (rows, columns) over the grid of tiles of `size`.

    Runs along a row become one box, and equal runs of consecutive rows become one.

    >>> absent_boxes(np.array([[False, True, True], [False, True, True]]), (4, 4), Box((0, 0), (8, 10)))
    [Box(start=(0, 4), stop=(8, 10))]
    """
    if not box.size:
        return []
    grid = box.coarsen(size)
    open_runs: dict[tuple[int, int], int] = {}
    found: list[Box] = []
    for row in range(grid.start[0], grid.stop[0] + 1):
        runs = _runs(absent[row, grid.start[1] : grid.stop[1]], grid.start[1]) if row < grid.stop[0] else []
        for run in [run for run in open_runs if run not in runs]:
            found.append(Box((open_runs.pop(run), run[0]), (row, run[1])).refine(size) & box)
        for run in runs:
            open_runs.setdefault(run, row)
    return sorted(found, key=lambda one: one.start)


def _runs(row: Array, first: int) -> list[tuple[int, int]]:
    """(start, stop) of each run of True in a row whose first cell has the index `first`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8))) + first
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
