"""Mean volumes and differences: the scale is symmetric, planes are where groups differ, one group has no difference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tile_engine.engine.show.group_means import HIGH_END, LOW_END, diverging, group_means
from tile_engine.models.evaluation.mean_volumes import mean_volumes, planes_of_difference, symmetric_limit


def test_means_weigh_subjects_alike_and_differences_are_from_all_others() -> None:
    draw = np.random.default_rng(0)
    volumes = draw.integers(0, 65535, (21, 1, 3, 4, 5)).astype(np.uint16)
    subject, group = np.r_[np.arange(12), np.arange(9)], np.arange(12) % 3
    found = mean_volumes(volumes, subject, group)
    own = np.stack([volumes[subject == s, 0].mean(0) / 65535 for s in range(12)])
    for g in range(3):
        np.testing.assert_allclose(found.means[g], own[group == g].mean(0))
        np.testing.assert_allclose(found.differences[g], own[group == g].mean(0) - own[group != g].mean(0), atol=1e-12)
    alone = mean_volumes(volumes, subject, np.zeros(12, int))
    assert not alone.differences.any() and symmetric_limit(alone.differences) == 0.0
    assert planes_of_difference(alone.differences) == (1, 2, 2)


def test_planes_go_through_the_largest_difference_and_the_limit_leaves_few_cells_out() -> None:
    differences = np.zeros((2, 10, 12, 14))
    differences[0, 7, 3, 11], differences[1, 7, 3, 11] = 0.5, -0.5
    differences[0, 7, 5] = 0.01
    assert planes_of_difference(differences) == (7, 3, 11)
    assert 0.01 <= symmetric_limit(differences) <= 0.5


def test_colours_are_symmetric_about_white(tmp_path: Path) -> None:
    colours = diverging(np.array([-1.0, -0.5, 0.0, 0.5, 1.0]), 1.0).astype(int)
    assert colours[0].tolist() == LOW_END.tolist() and colours[4].tolist() == HIGH_END.tolist()
    assert (np.abs(255 - colours[1] - (colours[1] - LOW_END)) <= 1).all() and (colours[2] == 255).all()
    assert (diverging(np.zeros(3), 0.0) == 255).all()
    means = np.full((2, 8, 10, 12), 0.5)
    differences = np.stack([np.full(means.shape[1:], 0.2), np.full(means.shape[1:], -0.2)])
    path = group_means(
        tmp_path / "g.png", means, differences, names=["one", "two"], planes=(4, 5, 6), limit=0.2, spacing=(1.0,) * 3
    )
    found = {tuple(c) for c in np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3).tolist()}
    assert {tuple(LOW_END), tuple(HIGH_END), (127, 127, 127)} <= found
    single = group_means(
        tmp_path / "s.png", means[:1], 0 * means[:1], names=["all"], planes=(4, 5, 6), limit=0.0, spacing=(1.0,) * 3
    )
    assert tuple(LOW_END) not in {
        tuple(c) for c in np.asarray(Image.open(single).convert("RGB")).reshape(-1, 3).tolist()
    }
