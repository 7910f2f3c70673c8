"""The section on shares of the slides: intervals where there are any."""

from __future__ import annotations

import numpy as np

from tile_engine.engine.show.composition_section import composition_section
from tile_engine.models.evaluation.composition import Composition

NONE = np.full(2, np.nan)
WITH = Composition(np.array([0.8, 0.2]), np.array([0.7, 0.15]), np.array([0.85, 0.3]), np.array([90.0, 90.0]))
WITHOUT = Composition(np.array([0.5, 0.5]), NONE, NONE, NONE, "its tiles fill fewer than 10 blocks of neighbours")
EMPTY = Composition(NONE, NONE, NONE, NONE, "the slide has no tiles")
LEGEND = [(1, "cluster 1", 0.7), (2, "cluster 2", 0.3)]


def test_cells_have_share_and_interval() -> None:
    section = composition_section([WITH, WITHOUT, EMPTY], names=("a", "b", "c"), legend=LEGEND)
    assert section.tables[0].rows == (
        ("a", "80.0 % (70.0 to 85.0)", "20.0 % (15.0 to 30.0)"),
        ("b", "50.0 %", "50.0 %"),
        ("c", None, None),
    )
    assert section.text[1:] == (
        "b has no intervals: its tiles fill fewer than 10 blocks of neighbours.",
        "c has no intervals: the slide has no tiles.",
    )


def test_many_slides_are_cut_and_said_to_be() -> None:
    section = composition_section([WITH] * 70, names=[str(i) for i in range(70)], legend=LEGEND)
    assert len(section.tables[0].rows) == 60 and section.tables[0].caption == "First 60 of 70 slides"
