"""The heat map of clusters and slides, however many there are."""

import numpy as np
import pytest
from matplotlib.axes import Axes

from tile_engine.engine.show.composition import cluster_by_slide
from tile_engine.engine.show.legend import LegendEntry

LEGEND = [LegendEntry(i, f"cluster {i}", 1 / 3) for i in (1, 2, 3)]


@pytest.mark.parametrize("slides", [1, 3, 200])
def test_heat_map_of_few_and_many_slides(tmp_path, slides):
    counts = np.random.default_rng(0).integers(0, 50, (3, slides))
    path = cluster_by_slide(tmp_path / "a.png", counts, names=[f"s{i}" for i in range(slides)], legend=LEGEND)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_slide_without_tiles_has_no_shares(tmp_path, monkeypatch):
    texts, write = [], Axes.text

    def kept(self, x, y, text, **style):
        texts.append(text)
        return write(self, x, y, text, **style)

    monkeypatch.setattr(Axes, "text", kept)
    counts = np.array([[3, 0], [0, 0], [1, 0]])
    cluster_by_slide(tmp_path / "a.png", counts, names=["a", "empty"], legend=LEGEND)
    assert texts[-6:] == ["75", "·", "25", "–", "–", "–"]
