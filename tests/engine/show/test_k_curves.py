"""Curves over K: one panel an index, which says its direction."""

from types import SimpleNamespace

import pytest

from tile_engine.engine.show.k_curves import k_curves, k_figure

SCORES = [
    {"k": k, "seed": seed, "index": index, "value": k + 0.1 * seed}
    for k in (2, 3, 4)
    for seed in (0, 1)
    for index in ("dunn", "silhouette", "calinski_harabasz", "davies_bouldin")
]


def test_k_curves_have_a_panel_an_index_say_the_direction_and_mark_the_recommended(tmp_path):
    rows = [SimpleNamespace(clusters=k, rand=k / 5, chance=k / 10) for k in (2, 3, 4)]
    figure = k_figure(SCORES, comebacks=rows, recommended=3)
    panels = {axes.get_gid(): axes for axes in figure.axes}
    assert list(panels) == ["k-reproducibility", "k-dunn", "k-silhouette", "k-calinski_harabasz", "k-davies_bouldin"]
    assert "lower" in panels["k-davies_bouldin"].get_title("right")
    assert "higher" in panels["k-dunn"].get_title("right")
    for axes in panels.values():
        assert any(list(line.get_xdata()) == [3, 3] for line in axes.lines)
    own, chance = panels["k-reproducibility"].lines[:2]
    assert list(own.get_ydata()) == pytest.approx([0.4, 0.6, 0.8])
    assert list(chance.get_ydata()) == pytest.approx([0.2, 0.3, 0.4]), "what structureless data give stands beside it"
    assert list(panels["k-dunn"].lines[0].get_ydata()) == pytest.approx([2.05, 3.05, 4.05])
    bare = [{"k": 2, "seed": 0, "index": "dunn", "value": float("nan")}]
    assert k_curves(tmp_path / "k.png", bare, comebacks=[]).exists()
