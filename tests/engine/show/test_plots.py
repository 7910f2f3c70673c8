"""Plots hold what they were given, whatever its size."""

import numpy as np
import pytest

from tile_engine.engine.show.legend import LegendEntry
from tile_engine.engine.show.plots import (
    Points,
    cluster_by_slide,
    gallery,
    k_curves,
    k_figure,
    training_curves,
    umap_figure,
    umap_plot,
)

LEGEND = [LegendEntry(i, f"cluster {i}", 1 / 3) for i in (1, 2, 3)]
SCORES = [
    {"k": k, "seed": seed, "index": index, "value": k + 0.1 * seed}
    for k in (2, 3, 4)
    for seed in (0, 1)
    for index in ("dunn", "silhouette", "calinski_harabasz", "davies_bouldin")
]


def points(count: int, slides: int = 2) -> Points:
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(count, 2))
    names = tuple(f"slide $ {i}" for i in range(slides))
    return Points(xy, rng.integers(0, 4, count), rng.integers(0, slides, count), names)


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


def test_k_curves_have_a_panel_an_index_say_the_direction_and_mark_the_recommended(tmp_path):
    figure = k_figure(SCORES, ranks={2: (2.5, 0.1), 3: (1.0, 0.2), 4: (2.5, 0.1)}, recommended=3)
    panels = {axes.get_gid(): axes for axes in figure.axes}
    assert list(panels) == ["k-dunn", "k-silhouette", "k-calinski_harabasz", "k-davies_bouldin", "k-rank"]
    assert "lower" in panels["k-davies_bouldin"].get_title("right")
    assert "higher" in panels["k-dunn"].get_title("right")
    for axes in panels.values():
        assert any(list(line.get_xdata()) == [3, 3] for line in axes.lines)
    assert list(panels["k-dunn"].lines[0].get_ydata()) == pytest.approx([2.05, 3.05, 4.05])
    bare = [{"k": 2, "seed": 0, "index": "dunn", "value": float("nan")}]
    assert k_curves(tmp_path / "k.png", bare, ranks={}).exists()


def test_gallery_leaves_out_clusters_without_patches(tmp_path):
    rng = np.random.default_rng(0)
    patches = {1: rng.integers(0, 256, (4, 32, 32, 3), np.uint8), 3: rng.integers(0, 256, (2, 32, 32, 3), np.uint8)}
    with_both = gallery(tmp_path / "a.png", patches, legend=LEGEND, spacing=0.5)
    assert with_both.stat().st_size > gallery(tmp_path / "b.png", {1: patches[1]}, legend=LEGEND).stat().st_size
    assert gallery(tmp_path / "c.png", {}, legend=LEGEND).exists()


@pytest.mark.parametrize("slides", [1, 3, 200])
def test_heat_map_of_few_and_many_slides(tmp_path, slides):
    counts = np.random.default_rng(0).integers(0, 50, (3, slides))
    path = cluster_by_slide(tmp_path / "a.png", counts, names=[f"s{i}" for i in range(slides)], legend=LEGEND)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_training_curves_of_several_stages_and_of_none(tmp_path):
    records = [{"step": i, "stage": "autoencoder", "reconstruction": 1 / (i + 1)} for i in range(50)]
    records += [{"step": 0, "stage": "finetune", "iic": float("nan")}, {"step": 1, "stage": "finetune", "iic": -1.0}]
    assert training_curves(tmp_path / "a.png", records).stat().st_size > 3000
    assert training_curves(tmp_path / "b.png", []).exists()
