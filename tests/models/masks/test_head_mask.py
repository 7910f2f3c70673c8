"""The head mask: all of what is there, whatever the scanner's noise, and never nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tile_engine.models.masks.head_mask import head_mask
from tile_engine.stores.volumes.reader import open_volume


def ball(shape: tuple[int, ...], radius: float) -> np.ndarray:
    grid = np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2
    return np.sqrt((grid**2).sum(0)) < radius


@settings(deadline=None, max_examples=100)
@given(arrays(np.int16, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9)), st.sampled_from([1.0, 3.0]))
def test_it_is_empty_for_a_constant_volume_alone(values: np.ndarray, depth: float) -> None:
    mask = head_mask(values, (depth, 1.0, 1.0))
    assert mask.shape == values.shape and mask.dtype == bool
    assert mask.any() == (np.ptp(values.astype(int)) > 0)


@pytest.mark.parametrize("values", [(0, 1), (0, 255), (-1000, 7)])
def test_a_shape_is_its_own_mask(values: tuple[int, int]) -> None:
    shape = ball((20, 24, 22), 8) & ~ball((20, 24, 22), 4)
    np.testing.assert_array_equal(head_mask(np.where(shape, values[1], values[0]), (1.0, 1.0, 1.0)), shape)


@pytest.mark.parametrize("ground", [0, -1000, 300])
def test_a_head_is_whole_its_cavities_included_and_the_noise_around_it_is_not(ground: int) -> None:
    draw = np.random.default_rng(0)
    head, cavity = ball((40, 48, 44), 17), ball((40, 48, 44), 6)
    values = ground + draw.normal(0, 5, head.shape) + 200 * head - 195 * cavity + 900 * ball(head.shape, 2)
    mask = head_mask(values.astype(np.float32), (2.0, 1.0, 1.0))
    assert mask[head].mean() > 0.999
    assert mask[~ball(head.shape, 20)].mean() < 0.001


def test_a_speck_beside_the_head_is_dropped() -> None:
    values = 100.0 * ball((40, 40, 40), 12) + np.linspace(0, 3, 40)
    values[:3, :3, :3] = 120
    assert not head_mask(values, (1, 1, 1))[:3, :3, :3].any()


def test_it_holds_the_brain_of_real_heads(data: Path) -> None:
    folder = data / "mri" / "ixi-hh-2mm"
    for path in sorted((folder / "dev").glob("*.nii.gz"))[::8]:
        with open_volume(path) as head, open_volume(next((folder / "dev-seg").glob(path.name[:15] + "*"))) as brain:
            frame = head.frames[0]
            mask = head_mask(head.read(frame.box)[0], frame.spacing)
            assert mask[brain.read(frame.box)[0] > 0].mean() > 0.999 and mask.mean() < 0.6


@pytest.mark.parametrize(("dtype", "offset"), [(np.uint32, 2**31), (np.int64, -(2**40)), (np.uint64, 2**60)])
def test_values_far_from_zero_do_not_matter(dtype: type, offset: int) -> None:
    draw = np.random.default_rng(0)
    values = draw.integers(0, 10, (30, 32, 34)) + 300 * ball((30, 32, 34), 12)
    far = values.astype(dtype) + dtype(offset)
    np.testing.assert_array_equal(head_mask(far, (1.0, 1.0, 1.0)), head_mask(values, (1.0, 1.0, 1.0)))
