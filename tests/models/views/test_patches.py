"""Views: the same generator gives the same view; each part changes what it says and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.models.masks.fill import fill_background
from tile_engine.models.replica import Replica
from tile_engine.models.views.patches import Views, cut_out, drop_stain, jitter_stains, mirror

PATCHES_BCYX = torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.floats(0, 2), st.integers(0, 99), st.sampled_from([1, 2, 3, 6]))
@settings(max_examples=20, deadline=None)
def test_views_stay_in_range_and_follow_their_generator(strength: float, seed: int, channels: int) -> None:
    patches = torch.rand(4, channels, 32, 32, generator=draw(1))
    kept, views = patches.clone(), Views(strength=strength)
    view = views(patches, draw(seed))
    assert view.shape == patches.shape and view.min() >= 0 and view.max() <= 1
    assert torch.equal(view, views(patches, draw(seed)))
    assert torch.equal(patches, kept), "a view must not change its patch"


def test_without_strength_a_view_is_one_of_eight_orientations() -> None:
    view_BCYX = Views(strength=0.0)(PATCHES_BCYX, draw())
    seen = set()
    for patch, view in zip(PATCHES_BCYX.numpy(), view_BCYX.numpy(), strict=True):
        eight = [np.rot90(p, k, (1, 2)) for p in (patch, patch[:, :, ::-1]) for k in range(4)]
        match = [i for i, p in enumerate(eight) if np.allclose(p, view, atol=1e-4)]
        assert match, "no orientation of the patch"
        seen.add(match[0])
    assert len(seen) > 4


def test_a_crop_shows_only_what_lies_in_the_patch() -> None:
    ramp = torch.linspace(0.2, 0.8, 64).expand(50, 1, 64, 64)
    view = cut_out(ramp, 0.25, 0.0, draw())
    assert view.min() >= 0.2 - 1e-4 and view.max() <= 0.8 + 1e-4
    spread = view.amax((1, 2, 3)) - view.amin((1, 2, 3))
    assert spread.min() < 0.4 < spread.max(), "cut-outs have different sizes"


def test_an_edge_is_filled_as_background_is() -> None:
    patches, side = PATCHES_BCYX, PATCHES_BCYX.shape[-1]
    places = F.affine_grid(torch.eye(2, 3).expand(16, 2, 3), list(patches.shape), align_corners=False)
    last = 20  # the last column of tissue; the line runs through its centres
    line = torch.full((16,), (last + 0.5) * 2 / side - 1)
    grid = mirror(places, torch.tensor([1.0, 0.0]).expand(16, 2), line)
    view = F.grid_sample(patches, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    tissue = np.arange(side)[None].repeat(side, 0) <= last
    for patch, shown in zip(patches.numpy(), view.numpy(), strict=True):
        np.testing.assert_allclose(shown, fill_background(patch, tissue), atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_stated_share_of_views_shows_an_edge(share: float) -> None:
    ramps = torch.linspace(0, 1, 32).expand(500, 1, 32, 32)
    views, plain = (cut_out(ramps, 1.0, edge, draw(3)) for edge in (share, 0.0))
    changed = (views - plain).abs().amax((1, 2, 3)) > 0.02
    # a line may cut off no more than a corner, which changes nothing that shows
    assert 0.6 * share <= changed.float().mean() <= 1.15 * share
    assert (changed.sum() == 0) == (share == 0)


def test_stain_jitter_keeps_what_has_no_stain_and_its_order() -> None:
    white = torch.ones(8, 3, 4, 4)
    # White has no density to scale; the shift alone may tint it a little.
    assert jitter_stains(white, 0.2, draw()).min() > 0.85
    torch.testing.assert_close(jitter_stains(PATCHES_BCYX, 0.0, draw()), PATCHES_BCYX.clamp_min(1 / 255))
    assert not torch.allclose(jitter_stains(PATCHES_BCYX, 0.3, draw()), PATCHES_BCYX, atol=0.02)


def test_a_stack_of_stains_loses_one_stain_at_most() -> None:
    stack = torch.full((200, 9, 2, 2), 0.5)
    lost = (drop_stain(stack, 0.25, draw()) == 1.0).all((2, 3)).view(200, 3, 3)
    assert (lost.all(2) == lost.any(2)).all(), "all three channels of a stain, or none"
    assert lost.all(2).sum(1).max() == 1
    assert lost.any((1, 2)).float().mean().item() == pytest.approx(0.25, abs=0.1)


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_a_share_of_a_batch_gets_the_views_that_it_has_in_the_whole(channels: int) -> None:
    patches = torch.rand(12, channels, 32, 32, generator=draw(1))
    whole = Views()(patches, draw(5))
    parts = [Views()(patches[(s := Replica(rank, 3)).rows(12)], draw(5), s) for rank in range(3)]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-6)
