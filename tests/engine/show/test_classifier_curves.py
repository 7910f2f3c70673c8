"""ROC curves are those of scikit-learn, and both panels are drawn, of no film too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from sklearn.metrics import roc_curve

from tile_engine.engine.show import classifier_curves as module
from tile_engine.engine.show.classifier_curves import classifier_curves, roc


def test_the_curve_is_that_of_scikit_learn() -> None:
    draw = np.random.default_rng(0)
    labels, scores = draw.integers(0, 2, 50), np.round(draw.random(50), 1)
    alarms, hits, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert np.allclose(roc(labels, scores), (alarms, hits))


def test_both_panels_are_drawn_and_films_without_labels_leave_them_empty(tmp_path: Path) -> None:
    labels, scores = np.array([0, 1, 1]), np.array([0.2, 0.4, 0.9])
    full = classifier_curves(tmp_path / "a.png", {"network": (labels, scores)}, [(0.8, 0.7, 3)], point=(0.1, 0.9))
    empty = classifier_curves(tmp_path / "b.png", {}, [])
    assert Image.open(full).size == Image.open(empty).size and full.read_bytes() != empty.read_bytes()


def test_each_curve_of_many_is_drawn_in_a_look_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(module, "save", lambda figure, path: figures.append(figure))
    curve = np.array([0, 1, 1]), np.array([0.2, 0.4, 0.9])
    classifier_curves(tmp_path / "a.png", {f"class {i}": curve for i in range(9)}, [])
    lines = figures[0].axes[0].get_lines()[1:]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(lines) == 9
