"""Series files: which DICOM files of a folder form a series, by their UID, or by their grid where each has one of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import SlideError
from .series import Slice, header, mark_of, slices_of
from .stack import grids_of

ONE_EACH = 3
"""From as many files on, those with a UID of their own, or none, may be one series: anonymisers write such."""


def series_parts(series: Mapping[str, Sequence[Path]]) -> dict[str, list[Path]]:
    """Part -> files of each series, from UID -> files: the part is `mark_of` the UID, or `grid-` and a mark of a grid.

    Files that are alone under their UID, or have none, are put together where they lie on one grid of one study; else a file
    without UID is a series by its name.
    """
    alone = [file for uid, files in series.items() if len(files) == 1 or not uid for file in files]
    grids = _grids(alone) if len(alone) >= ONE_EACH else {}
    joined = {file for files in grids.values() for file in files}
    parts = {}
    for uid, files in series.items():
        rest = [file for file in files if file not in joined]
        if rest and uid:
            parts[mark_of(uid)] = rest
        parts |= {file.name: [file] for file in rest if not uid}
    return parts | grids


def _grids(files: Sequence[Path]) -> dict[str, list[Path]]:
    """Part -> files of each grid with enough slices, of single pictures of one study."""
    studies: dict[str, list[Slice]] = {}
    for file in files:
        try:
            slices = slices_of(file, header(file))
        except SlideError:
            continue  # no picture, or no position: the file is reported alone
        if len(slices) == 1:
            studies.setdefault(slices[0].study, []).append(slices[0])
    grids = {}
    for study, pictures in studies.items():
        for grid in grids_of(pictures):
            if len(grid) >= ONE_EACH:
                first = min(grid, key=lambda one: one.file.name)
                mark = mark_of(f"{study} {first.rows} {first.columns} {first.spacing} {first.orientation}")
                grids[f"grid-{mark}"] = [one.file for one in grid]
    return grids
