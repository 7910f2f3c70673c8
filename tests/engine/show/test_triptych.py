"""Three planes of a volume: the right cells, the right way up, labels where they belong."""

from __future__ import annotations

import numpy as np

from tile_engine.engine.show.triptych import PLANE_GAP_PIXELS, triptych
from tile_engine.stores.frame import Frame

FRAME = Frame(("z", "y", "x"), (5, 12, 8), (2.0, 1.0, 1.0), (-4.0, 100.0, 0.0))
CELLS = FRAME.coarsen((2, 4, 4))


def planes(rgb: np.ndarray) -> list[np.ndarray]:
    """Axial (12 x 8), coronal (10 x 8) and sagittal (10 x 12), each in the middle of the picture's height."""
    out, left = [], 0
    for height, width in ((12, 8), (10, 8), (10, 12)):
        top = (len(rgb) - height) // 2
        out.append(rgb[top : top + height, left : left + width])
        left += width + PLANE_GAP_PIXELS
    assert left - PLANE_GAP_PIXELS == rgb.shape[1]
    return out


def test_planes_go_through_the_centre_and_their_first_axis_points_up() -> None:
    values = np.random.default_rng(0).integers(1, 255, FRAME.shape).astype(np.uint8)
    labels = np.random.default_rng(1).integers(0, 4, CELLS.shape).astype(np.uint8)
    picture, cells = triptych(values, FRAME, labels, CELLS, centre=(1.0, 105.5, 6.5))  # cells 2, 5, 6
    assert picture.spacing == cells.spacing == 1.0 and picture.dark
    axial, coronal, sagittal = planes(picture.rgb[..., 0])
    np.testing.assert_array_equal(axial, values[2, ::-1])
    np.testing.assert_array_equal(coronal, values[::-1, 5].repeat(2, 0))
    np.testing.assert_array_equal(sagittal, values[::-1, :, 6].repeat(2, 0))
    axial, coronal, sagittal = planes(cells.labels)
    np.testing.assert_array_equal(axial, labels[1].repeat(4, 0).repeat(4, 1)[::-1])
    np.testing.assert_array_equal(coronal, labels[:, 1].repeat(4, 0).repeat(4, 1)[:10][::-1])
    np.testing.assert_array_equal(sagittal, labels[:, :, 1].repeat(4, 0).repeat(4, 1)[:10][::-1])
    assert not cells.labels[:, 8 : 8 + PLANE_GAP_PIXELS].any()
