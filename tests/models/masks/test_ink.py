"""Ink: what lies near a mask is the same by dilation and by distance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tile_engine.models.masks.ink import MAX_DILATION, _within


@pytest.mark.parametrize("radius", [0.4, 1.0, 2.5, 5**0.5, 6.25, MAX_DILATION, 12.0])
def test_near_is_the_same_by_dilation_and_by_distance(radius: float) -> None:
    mask = np.random.default_rng(2).random((61, 47)) > 0.995
    assert mask.any()
    assert (_within(mask, radius) == (ndimage.distance_transform_edt(~mask) <= radius)).all()
