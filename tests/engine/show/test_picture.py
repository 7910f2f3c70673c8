"""Pictures and cells lie in one space of micrometres."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.engine.show.picture import Cells, Picture


def picture(height: int, width: int, spacing: float = 1.0) -> Picture:
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Picture(rgb, spacing)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(8, 64))
def test_a_fitted_picture_is_no_larger_than_asked_and_keeps_its_extent_to_a_block(height, width, long_side):
    whole = picture(height, width, 2.0)
    fitted = whole.fitted(long_side)
    assert long_side / 2 < max(fitted.rgb.shape[:2]) + 1 <= long_side + 1
    for before, after in zip(whole.extent, fitted.extent, strict=True):
        assert abs(before - after) < max(fitted.spacing, 1e-9)


def test_shrinking_averages_blocks():
    whole = picture(6, 9)
    small = whole.shrunk(3)
    expected = whole.rgb.astype(float).reshape(2, 3, 3, 3, 3).mean(axis=(1, 3))
    assert np.abs(small.rgb - expected).max() <= 0.5
    assert small.spacing == 3


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.3, 9), st.floats(-5, 5))
def test_every_pixel_gets_the_label_of_the_cell_that_holds_its_centre(rows, columns, spacing, origin):
    labels = np.random.default_rng(1).integers(0, 5, (rows, columns))
    seen = Cells(labels, spacing, (origin, -origin)).over(picture(7, 11, 0.7))
    for i, j in np.ndindex(7, 11):
        y, x = (int(np.floor(((v + 0.5) * 0.7 - o) / spacing)) for v, o in ((i, origin), (j, -origin)))
        inside = 0 <= y < rows and 0 <= x < columns
        assert seen[i, j] == (labels[y, x] if inside else 0)


def test_wrong_arrays_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        Picture(np.zeros((3, 3, 3)), 1.0)
    with pytest.raises(ValueError, match="integers"):
        Cells(np.zeros((3, 3)), 1.0)
    with pytest.raises(ValueError, match="positive"):
        Cells(np.zeros((3, 3), int), 0.0)
