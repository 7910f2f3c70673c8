"""The report says how far simpler methods found the same clusters."""

from __future__ import annotations

from typing import get_args

from tile_engine.engine.show.baselines_section import METHODS, baselines_section
from tile_engine.models.training.clustering import ObjectiveName


def test_a_method_that_is_not_installed_is_named_and_has_no_row() -> None:
    section = baselines_section("imsat", 5, {"kmeans": 0.71, "leiden": None})
    assert "5 clusters" in section.text[0] and "IMSAT" in section.text[0]
    assert "igraph is not installed: Leiden" in section.text[1]
    assert [row[0] for row in section.tables[0].rows] == ["k-means"]
    assert "0.71" in str(section.tables[0].rows[0][1])


def test_every_objective_has_its_name_for_readers() -> None:
    assert set(METHODS) == set(get_args(ObjectiveName))
