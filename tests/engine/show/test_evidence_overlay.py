"""Evidence over images: planes through the strongest evidence, and colours where the evidence is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tile_engine.engine.show.deletion_plot import deletion_plot
from tile_engine.engine.show.evidence_overlay import draw_evidence, planes_of, slide_of
from tile_engine.engine.show.picture import Picture
from tile_engine.stores.frame import Frame

AXES = ("z", "y", "x")


def test_planes_go_through_the_strongest_evidence() -> None:
    values = np.random.default_rng(0).random((20, 24, 16))
    heat = np.zeros((10, 12, 8), np.float32)
    heat[7, 3, 5] = 2.0
    frame, on = Frame(AXES, values.shape, (1000.0,) * 3), Frame(AXES, heat.shape, (2000.0,) * 3)
    panel = planes_of("a", values, heat, frame, on)
    assert panel.evidence.max() == 1 and panel.evidence.shape == panel.rgb.shape[:2]
    assert (panel.evidence > 0).sum() == 3 * 4  # one cell of 2 x 2 pixels in each plane


def test_evidence_of_a_slide_covers_its_picture() -> None:
    heat = np.zeros((4, 6), np.float32)
    heat[:, :3] = 1.0
    panel = slide_of("a", Picture(np.full((40, 60, 3), 200, np.uint8), 8.0), heat)
    assert (panel.evidence[:, :30] == 1).all() and not panel.evidence[:, 30:].any()


def test_an_image_without_evidence_is_drawn_too(tmp_path: Path) -> None:
    panels = [slide_of(f"s{i}", Picture(np.full((40, 60, 3), 200, np.uint8), 8.0), np.zeros((4, 6))) for i in range(3)]
    assert draw_evidence(tmp_path / "evidence.png", panels).stat().st_size > 1_000


def test_curves_of_deletion_are_drawn(tmp_path: Path) -> None:
    curves = {
        "most evidence first": np.array([[0.9, 0.2], [0.8, 0.3]]),
        "at random": np.array([[0.9, 0.7], [0.8, 0.6]]),
    }
    assert deletion_plot(tmp_path / "deletion.png", (0.0, 0.5), curves).stat().st_size > 1_000
