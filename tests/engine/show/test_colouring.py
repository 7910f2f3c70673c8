"""Colours on a slide: the right one at the right place, structure showing through."""

import colorsys

import numpy as np

from tile_engine.engine.show.colouring import coloured
from tile_engine.engine.show.palette import colour
from tile_engine.engine.show.picture import Cells, Picture


def tissue(height: int, width: int) -> Picture:
    """Noise around the colour of tissue, 4 µm a pixel."""
    rng = np.random.default_rng(0)
    return Picture((180 + rng.integers(-40, 40, (height, width, 3))).astype(np.uint8), 4.0)


def hue(rgb) -> float:
    return colorsys.rgb_to_hsv(*(float(v) / 255 for v in rgb))[0]


def test_each_cell_is_drawn_in_its_colour_where_the_micrometres_say():
    labels = np.array([[1, 2], [0, 3]])
    rgb = coloured(tissue(40, 40), Cells(labels, 80.0))  # 20 pixels a cell
    for (row, column), label in np.ndenumerate(labels):
        block = rgb[row * 20 : row * 20 + 20, column * 20 : column * 20 + 20].reshape(-1, 3).astype(int)
        if label == 0:
            assert np.ptp(block, axis=1).max() == 0  # grey
        else:
            assert abs(hue(np.median(block, axis=0)) - hue(colour(int(label)))) < 0.03


def test_structure_shows_through_the_colour():
    rgb = np.full((20, 20, 3), 240, np.uint8)
    rgb[5:10, 5:10] = 60
    shown = coloured(Picture(rgb, 1.0), Cells(np.ones((1, 1), int), 20.0)).astype(int).sum(axis=2)
    assert shown[7, 7] < 0.8 * shown[15, 15]
