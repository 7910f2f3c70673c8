"""Pictures of pairs of sections: a checkerboard takes turns, edges are those of the other section, panels are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tile_engine.engine.show.picture import Cells, Picture
from tile_engine.engine.show.section_overlay import (
    EDGE_COLOUR,
    SectionPair,
    checkerboard,
    draw_section_pair,
    edges_on,
)
from tile_engine.engine.show.stain_panels import draw_stains


def halves(height: int = 60, width: int = 80) -> np.ndarray:
    """A dark half beside a light one."""
    picture = np.full((height, width, 3), 200, np.uint8)
    picture[:, : width // 2] = 60
    return picture


def test_a_checkerboard_takes_both_pictures_by_turns() -> None:
    board = checkerboard(np.zeros((40, 80, 3), np.uint8), np.ones((40, 80, 3), np.uint8), 8)
    assert board.mean() == 0.5 and board[5, 5, 0] == 0 and board[5, 15, 0] == 1 and board[15, 5, 0] == 1


def test_edges_are_drawn_where_the_other_section_has_them_and_not_at_its_rim() -> None:
    other = halves()
    other[:, 70:] = 255  # not covered
    drawn = (edges_on(np.full((60, 80, 3), 90, np.uint8), other) == EDGE_COLOUR).all(-1)
    columns = np.flatnonzero(drawn.mean(0) > 0.5)
    assert len(columns) and abs(columns - 39.5).max() < 5 and not drawn[:, 65:].any()


def test_pairs_and_stains_are_drawn_as_pictures_of_the_same_bytes_each_time(tmp_path: Path) -> None:
    pair = SectionPair("block: A on B", halves(), halves()[:, ::-1], halves())
    one, two = (draw_section_pair(tmp_path / f"{n}.png", pair) for n in "ab")
    assert one.read_bytes() == two.read_bytes() and Image.open(one).size[0] > 900
    legend = [(1, "cluster 1", 0.5), (2, "cluster 2", 0.5)]
    cells = Cells(np.repeat([[1, 2]], 2, 0), 40.0)
    panels = [("HE", halves()), ("CD31", None)]
    path = draw_stains(tmp_path / "s.png", Picture(halves(), 1.0), cells, panels, legend=legend, title="block")
    assert Image.open(path).size[0] > 1400
