"""tiff_cut: whether a TIFF that OpenSlide refuses is cut short, which it does not say: told by the tables of all pages."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import SlideError
from ..foreign import foreign
from .cut_short import behind_end
from .tiff_chain import check_directories


def check_tiles(path: Path) -> None:
    """Raises SlideError (E_TRUNCATED) where tiles lie behind the end of the file; tables that cannot be followed pass.

    OpenSlide reads the whole of a small level as it opens a file, so that it refuses one that lost some of it."""
    try:
        lost, tiles = _lost(path)
    except SlideError as error:
        if error.code == "E_TRUNCATED":
            raise
        return
    if lost:
        raise SlideError(
            f"{path.name}: the file is cut short: it ends before {lost:,} of its {tiles:,} tiles. Copy it again.",
            "E_TRUNCATED",
        )


def _lost(path: Path) -> tuple[int, int]:
    """(tiles behind the end of the file, all tiles), over all pages."""
    import tifffile

    check_directories(path)
    lost = tiles = 0
    with (
        foreign(lambda why: SlideError(f"{path.name}: its tables cannot be followed ({why}).", "E_MALFORMED")),
        tifffile.TiffFile(path, _multifile=False) as tif,
    ):
        for page in tif.pages:
            offsets, counts = (np.asarray(table) for table in (page.dataoffsets, page.databytecounts))
            tiles += len(offsets)
            lost += int(behind_end(offsets, counts, tif.filehandle.size).sum())
    return lost, tiles
