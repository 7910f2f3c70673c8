"""Tiles in the plane: every point that was given, sampled by seed where there are too many."""

from dataclasses import replace

import numpy as np

from tile_engine.engine.show.legend import LegendEntry
from tile_engine.engine.show.tile_plane import TilePoints, plane_caption, umap_figure, umap_plot

LEGEND = [LegendEntry(i, f"cluster {i}", 1 / 3) for i in (1, 2, 3)]


def points(count: int, slides: int = 2) -> TilePoints:
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(count, 2))
    names = tuple(f"slide $ {i}" for i in range(slides))
    return TilePoints(xy, rng.integers(0, 4, count), rng.integers(0, slides, count), names)


def test_many_points_are_sampled_by_seed_and_lost_ones_left_out():
    many = points(5000)
    many.xy[0] = np.nan
    sample = many.sampled(1000, seed=3)
    assert len(sample.xy) == len(sample.cluster) == len(sample.slide) == 1000
    assert np.array_equal(sample.xy, many.sampled(1000, seed=3).xy)
    assert np.isfinite(many.sampled(5000, seed=0).xy).all()


def test_umap_is_drawn_twice_and_says_how_many_of_how_many(tmp_path):
    figure = umap_figure(points(300, slides=40), legend=LEGEND, total=9000)
    drawn = [axes for axes in figure.axes if str(axes.get_gid()).startswith("umap")]
    assert [len(axes.collections[0].get_offsets()) for axes in drawn] == [300, 300]
    said = [t.get_text() for t in figure.texts]
    assert "300 tiles of 9,000" in said
    assert "and 21 more slides" in said
    first = umap_plot(tmp_path / "a.png", points(3000), limit=500).read_bytes()
    assert first == umap_plot(tmp_path / "b.png", points(3000), limit=500).read_bytes()


def test_umap_of_nothing_is_drawn(tmp_path):
    assert umap_plot(tmp_path / "a.png", points(0)).stat().st_size > 1000


def test_the_title_names_the_method_that_placed_the_tiles():
    for method, title in (("umap", "UMAP of the tiles"), ("pca", "Principal components of the tiles")):
        texts = [text.get_text() for text in umap_figure(replace(points(50), method=method)).texts]
        assert any(text.startswith(title) for text in texts)
    assert "principal components, as there are too few" in plane_caption("pca")
