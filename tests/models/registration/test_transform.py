"""Maps between sections: where points go, there and back, and fields that fold."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.models.registration.folding import unfolded
from tile_engine.models.registration.transform import (
    Field,
    PairFit,
    apply_affine,
    compose,
    enlargement,
    invert_affine,
    map_points,
    rescaled,
)

TURNED = np.array([[0.9, -0.3, 20.0], [0.35, 1.05, -7.0]])


def wavy(height: float, stride: float = 8.0) -> Field:
    y, x = np.mgrid[:20, :24]
    values = height * np.stack([np.sin(x / 2.5 + y / 4), np.cos(y / 3 - x / 5)])
    return Field(values.astype(np.float32), stride, (-4.0, 2.0))


def test_a_point_goes_through_field_and_affine_map() -> None:
    """Halfway between four nodes, by hand: displacement (1, 2), then doubled and moved."""
    values = np.zeros((2, 2, 2), np.float32)
    values[0], values[1] = [[0, 2], [0, 2]], [[2, 2], [2, 2]]
    fit = PairFit(np.array([[2.0, 0.0, 10.0], [0.0, 2.0, 20.0]]), Field(values, 4.0))
    assert map_points(fit, [[2.0, 2.0]]).tolist() == [[16.0, 28.0]]


def test_a_field_is_constant_beyond_its_grid() -> None:
    field = wavy(3.0)
    assert np.allclose(field.at([[-500.0, 1e4]]), field.values[:, 0, -1])


def test_a_field_that_folds_is_damped_until_it_does_not() -> None:
    folded = wavy(20.0)
    assert folded.folding() > 0
    mended, factor = unfolded(folded)
    assert mended is not None
    assert 0 < factor < 1
    assert mended.folding() == 0
    assert np.allclose(mended.values, factor * folded.values)
    assert unfolded(wavy(1.0))[1] == 1.0


def test_a_field_that_no_damping_mends_is_refused() -> None:
    assert unfolded(wavy(1e4)) == (None, 0.0)


def test_the_determinant_of_a_stretch_is_known() -> None:
    """y grows by .25 and x shrinks by .5 a pixel: 1.25 * .5; a shrinking by more than itself folds."""
    y, x = np.mgrid[:4, :5] * 8.0
    assert np.allclose(Field(np.stack([y / 4, -x / 2]).astype(np.float32), 8.0).determinants(), 0.625)
    assert Field(np.stack([y * 0, -1.5 * x]).astype(np.float32), 8.0).folding() == 1.0


def test_affine_maps_compose_and_invert() -> None:
    points = np.random.default_rng(0).normal(size=(5, 2))
    assert np.allclose(apply_affine(compose(invert_affine(TURNED), TURNED), points), points)
    assert np.allclose(
        apply_affine(compose(TURNED, TURNED), points), apply_affine(TURNED, apply_affine(TURNED, points))
    )


def test_centres_of_pixels_stay_in_place_at_another_size() -> None:
    """The middle of the first of two pixels' pair is .5 at full size and 0 at half."""
    assert apply_affine(enlargement(0.5), [[0.5, 0.5]]).tolist() == [[0.0, 0.0]]
    larger = rescaled(TURNED, [2.0, 4.0], 3.0)
    point = apply_affine(enlargement([2.0, 4.0]), [[7.0, 9.0]])
    expected = apply_affine(enlargement(3.0), apply_affine(TURNED, [[7.0, 9.0]]))
    assert np.allclose(apply_affine(larger, point), expected)


def test_a_field_of_one_node_is_refused() -> None:
    with pytest.raises(ValueError, match="two nodes"):
        Field(np.zeros((2, 1, 5), np.float32), 8.0)
