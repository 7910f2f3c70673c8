"""Views of cubes: mirrored, cut and brightened as their generator says, never turned onto another axis."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.models.replica import Replica
from tile_engine.models.views.cubes import CubeViews, mirror_and_crop

CUBES_BCZYX = torch.rand(12, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0))


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.floats(0, 2), st.integers(0, 99), st.sampled_from([1, 2]))
@settings(max_examples=20, deadline=None)
def test_views_stay_in_range_and_follow_their_generator(strength: float, seed: int, channels: int) -> None:
    cubes = torch.rand(3, channels, 8, 8, 8, generator=draw(1))
    kept, views = cubes.clone(), CubeViews(strength)
    view = views(cubes, draw(seed))
    assert view.shape == cubes.shape and view.min() >= 0 and view.max() <= 1
    assert torch.equal(view, views(cubes, draw(seed)))
    assert torch.equal(cubes, kept), "a view must not change its patch"


def test_without_strength_a_view_is_one_of_eight_reflections() -> None:
    seen = set()
    for cube, view in zip(CUBES_BCZYX, CubeViews(0.0)(CUBES_BCZYX, draw()), strict=True):
        axes = [[i + 1 for i in range(3) if flip[i]] for flip in product((0, 1), repeat=3)]
        match = [n for n, flipped in enumerate(axes) if torch.allclose(cube.flip(flipped), view, atol=1e-4)]
        assert match, "no reflection of the patch"
        seen.add(match[0])
    assert len(seen) > 3


def test_a_cut_out_shows_nothing_that_was_not_there() -> None:
    """Of a ramp, any box enlarged is a ramp that is less steep, within the old one's ends."""
    ramp = torch.linspace(0.1, 0.9, 16).expand(6, 1, 16, 16, 16)
    view = mirror_and_crop(ramp, 0.5, draw())
    assert view.min() >= 0.1 - 1e-6 and view.max() <= 0.9 + 1e-6
    steps = view.diff(dim=4).abs()
    assert steps[..., 2:-2].max() <= 0.8 / 15 + 1e-5 and steps.mean() >= 0.7 * 0.8 / 15


@pytest.mark.parametrize("ranks", [2, 3])
def test_shares_draw_what_the_whole_batch_would(ranks: int) -> None:
    whole = CubeViews()(CUBES_BCZYX, draw())
    each = len(CUBES_BCZYX) // ranks
    parts = [CubeViews()(CUBES_BCZYX[r * each : (r + 1) * each], draw(), Replica(r, ranks)) for r in range(ranks)]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-6)
