"""Volumes in the plane: a panel for every grouping that tells volumes apart."""

import numpy as np

from tile_engine.engine.show import volume_plane as module


def test_a_panel_for_every_grouping_with_two_values_or_more(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(module, "save", lambda figure, path: figures.append(figure) or path)
    xy = np.random.default_rng(0).normal(size=(6, 2))
    groups = {"label": np.array(["a", "b", "", "a", "b", ""]), "site": np.array(["one"] * 6)}
    module.volume_plane(tmp_path / "a.png", xy, groups, title="t-SNE")
    module.volume_plane(tmp_path / "b.png", xy, {"site": groups["site"]}, title="t-SNE")
    assert [[axes.get_gid() for axes in figure.axes] for figure in figures] == [["plane-label"], ["plane-"]]
    words = [text.get_text() for text in figures[0].texts]
    assert set(words) == {"t-SNE", "by label", "a (2)", "b (2)", "unknown or other (2)"}
    assert [len(points.get_offsets()) for points in figures[0].axes[0].collections] == [2, 2, 2]
    assert "6 volumes" in [text.get_text() for text in figures[1].texts]


def test_numbers_have_a_bar_and_unknown_ones_are_grey_and_counted(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(module, "save", lambda figure, path: figures.append(figure) or path)
    xy = np.random.default_rng(0).normal(size=(6, 2))
    age = np.array([20.0, 30, np.nan, 40, np.nan, 60])
    module.volume_plane(tmp_path / "a.png", xy, {"age": age, "none": np.full(6, np.nan)}, title="UMAP")
    (figure,) = figures
    assert [axes.get_gid() for axes in figure.axes] == ["plane-age", "bar"]
    assert {"by age", "20", "40", "60", "unknown (2)"} <= {text.get_text() for text in figure.texts}
    grey, coloured = figure.axes[0].collections
    assert len(grey.get_offsets()) == 2 and coloured.get_array().tolist() == [20, 30, 40, 60]
