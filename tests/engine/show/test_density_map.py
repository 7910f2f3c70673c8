"""Density maps: the share of a cluster nearby, one panel for each cluster that is there."""

import numpy as np
import pytest

from tile_engine.engine.show.density_map import density_figure, local_share
from tile_engine.engine.show.legend import LegendEntry
from tile_engine.engine.show.picture import Cells, Picture

LEGEND = [LegendEntry(1, "cluster 1", 0.5), LegendEntry(2, "cluster 2", 0.3), LegendEntry(3, "cluster 3", 0.2)]


def tissue(height: int, width: int) -> Picture:
    """Noise around the colour of tissue, 4 µm a pixel."""
    rng = np.random.default_rng(0)
    return Picture((180 + rng.integers(-40, 40, (height, width, 3))).astype(np.uint8), 4.0)


def test_local_share_is_the_mixture_nearby():
    labels = np.ones((40, 40), int)
    labels[:, 20:] = 2
    labels[:3] = 0
    share = local_share(labels, 1, sigma=2.0)
    assert share[20, 2] == pytest.approx(1, abs=1e-3)
    assert share[20, 37] == pytest.approx(0, abs=1e-3)
    assert share[3, 2] == pytest.approx(1, abs=1e-3)  # the edge of the tissue is no loss
    assert (share[:3] == 0).all()
    total = share + local_share(labels, 2, sigma=2.0)
    assert total[3:] == pytest.approx(np.ones((37, 40)), abs=1e-4)


def test_one_density_panel_a_cluster_present():
    labels = np.array([[1, 1, 3], [0, 3, 3]])
    figure = density_figure(tissue(20, 30), Cells(labels, 40.0), legend=LEGEND, title="")
    gids = [str(a.get_gid()) for a in figure.get_children() if str(a.get_gid()).startswith("density")]
    assert gids == ["density-1", "density-3"]
