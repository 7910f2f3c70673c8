"""Cluster maps: every panel and legend on its figure, for slides of any shape."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

from tile_engine.engine.show.cluster_map import cluster_figure, cluster_map
from tile_engine.engine.show.colouring import coloured
from tile_engine.engine.show.density_map import density_figure, density_map
from tile_engine.engine.show.figure import DPI, png
from tile_engine.engine.show.legend import LegendEntry
from tile_engine.engine.show.palette import colour, hexadecimal
from tile_engine.engine.show.picture import Cells, Picture

DRAWN = {"slide", "clusters", "scale", "colour-bar", "density-1", "density-2", "density-3"}
LEGEND = [LegendEntry(1, "cluster 1", 0.5), LegendEntry(2, "cluster 2", 0.3), LegendEntry(3, "cluster 3", 0.2)]


def tissue(height: int, width: int) -> Picture:
    """Noise around the colour of tissue, 4 µm a pixel."""
    rng = np.random.default_rng(0)
    return Picture((180 + rng.integers(-40, 40, (height, width, 3))).astype(np.uint8), 4.0)


def place(figure, gid):
    """Where an artist lies, in parts of the figure."""
    artist = next(artist for artist in figure.get_children() if artist.get_gid() == gid)
    return artist.get_window_extent(None).transformed(figure.transFigure.inverted())


def texts(figure) -> list[str]:
    return [t.get_text() for t in figure.texts]


def test_pixels_of_the_map_are_dots_of_the_file():
    """What `coloured` computes stands in the PNG unchanged: edges of tiles stay crisp and in register."""
    picture, cells = tissue(30, 44), Cells(np.arange(12).reshape(3, 4) % 4, 40.0)
    figure = cluster_figure(picture, cells, legend=LEGEND, title="slide")
    pixels = (imread(io.BytesIO(png(figure)))[..., :3] * 255).round().astype(int)
    box = place(figure, "clusters")
    height, width = pixels.shape[:2]
    left, top = round(box.x0 * width), round((1 - box.y1) * height)
    expected = coloured(picture.fitted(1100), cells)
    found = pixels[top : top + expected.shape[0], left : left + expected.shape[1]]
    inner = (slice(4, -4), slice(4, -4))  # the frame is drawn over the outermost dots
    assert np.array_equal(found[inner], expected[inner])


def test_the_legend_has_one_line_a_cluster_with_its_share():
    figure = cluster_figure(tissue(40, 40), Cells(np.ones((2, 2), int), 80.0), legend=LEGEND, title="a slide.svs")
    lines = [t.get_text() for t in figure.texts if t.get_gid() == "legend"]
    assert lines == ["cluster 1", "50.0 %", "cluster 2", "30.0 %", "cluster 3", "20.0 %"]
    colours = [hexadecimal(colour(entry.label)) for entry in LEGEND]
    assert set(colours) <= {to_hex(a.get_facecolor()) for a in figure.artists if hasattr(a, "get_facecolor")}
    assert "a slide.svs" in texts(figure)


@pytest.mark.parametrize("height, width", [(40, 40), (8, 900), (900, 8), (1, 1), (3, 2000), (1500, 1300)])
def test_any_shape_of_slide_fits_on_its_figure(height, width):
    rows, columns = max(1, height // 10), max(1, width // 10)
    labels = np.random.default_rng(1).integers(0, 4, (rows, columns))
    labels[0, 0] = 1
    for make in (cluster_figure, density_figure):
        figure = make(tissue(height, width), Cells(labels, 40.0), legend=LEGEND, title="x" * 300)
        boxes = [place(figure, artist.get_gid()) for artist in figure.get_children() if artist.get_gid() in DRAWN]
        assert boxes
        assert all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= 1 and b.y1 <= 1 for b in boxes)
        renderer_width = figure.get_size_inches()[0] * DPI
        figure.draw_without_rendering()
        assert all(t.get_window_extent().x1 <= renderer_width for t in figure.texts)


def test_a_wide_slide_is_stacked_and_others_stand_side_by_side():
    labels = np.ones((2, 2), int)
    wide = cluster_figure(tissue(20, 200), Cells(labels, 40.0), legend=LEGEND, title="")
    high = cluster_figure(tissue(200, 20), Cells(labels, 40.0), legend=LEGEND, title="")
    assert place(wide, "slide").x0 == place(wide, "clusters").x0
    assert place(high, "slide").y0 == place(high, "clusters").y0


def test_the_scale_bar_is_as_long_as_it_says():
    figure = cluster_figure(tissue(100, 200), Cells(np.ones((2, 2), int), 40.0), legend=LEGEND, title="")
    said = next(t for t in texts(figure) if t.endswith("µm"))
    inches = place(figure, "scale").width * figure.get_size_inches()[0]
    panel = place(figure, "slide").width * figure.get_size_inches()[0]
    assert inches / panel * 200 * 4.0 == pytest.approx(float(said.split()[0]), rel=0.01)


def test_a_blank_slide_says_so(tmp_path):
    cells = Cells(np.zeros((3, 3), int), 40.0)
    for make in (cluster_figure, density_figure):
        assert "no tissue found" in texts(make(tissue(30, 30), cells, legend=LEGEND, title="blank"))
    assert cluster_map(tmp_path / "a.png", tissue(30, 30), cells, legend=LEGEND, title="blank").stat().st_size > 1000
    assert density_map(tmp_path / "b.png", tissue(30, 30), cells, legend=LEGEND, title="blank").stat().st_size > 1000


def test_names_are_taken_literally_and_bytes_depend_on_nothing_else(tmp_path):
    cells = Cells(np.ones((3, 3), int), 40.0)
    paths = [tmp_path / "sub" / f"{i}.png" for i in range(2)]
    for path in paths:
        cluster_map(path, tissue(30, 30), cells, legend=LEGEND, title=r"$\frac{1}{ \n broken $x_")
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert b"Software" not in first
    assert [p.name for p in paths[0].parent.iterdir() if p.suffix != ".png"] == []
