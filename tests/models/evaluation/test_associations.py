"""Groups of subjects and columns of a list: planted relations are found and measured, others are not, and the rest is named."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, false_discovery_control, kruskal

from tile_engine.models.evaluation.associations import associations, cramers_v

DRAW = np.random.default_rng(0)
GROUP = np.repeat([1, 2, 3], 14)
AGE = np.where(GROUP == 2, 70.0, 40.0) + DRAW.normal(0, 5, 42)
SITE = np.where(DRAW.random(42) < 0.9, np.array(["A", "B", "C"])[GROUP - 1], "A").astype(object)
COLUMNS = {"age": AGE, "site": SITE, "noise": DRAW.normal(size=42), "sex": np.tile(["F", "M"], 21).astype(object)}


def test_planted_relations_are_found_with_their_sizes_and_others_are_not() -> None:
    found = associations(GROUP, COLUMNS)
    columns = {row.column: row for row in found.columns}
    assert columns["age"].q < 0.01 and columns["age"].effect > 0.4 and columns["age"].is_number
    assert columns["site"].q < 0.01 and columns["site"].effect > 0.7 and not columns["site"].is_number
    assert columns["noise"].q > 0.05 and columns["noise"].effect < 0.2
    assert columns["sex"].effect == 0.0 and columns["sex"].p == 1.0
    older = next(row for row in found.differences if (row.group, row.column) == (2, "age"))
    assert (older.subjects, older.category) == ((14, 28), "")
    assert older.low < 30 < older.high and older.size > 3 and older.q < 0.01
    assert older.effect == pytest.approx(older.inside - older.outside)
    at_b = next(row for row in found.differences if (row.group, row.category) == (2, "B"))
    assert at_b.inside == pytest.approx((SITE[GROUP == 2] == "B").mean()) and at_b.low > 1 and np.isnan(at_b.size)
    assert len([row for row in found.differences if row.column == "sex"]) == 3, "the second category is the mirror"


def test_tests_are_kruskal_wallis_and_chi_squared_corrected_for_all_that_were_made() -> None:
    found = associations(GROUP, COLUMNS)
    assert found.columns[2].p == pytest.approx(
        kruskal(*(COLUMNS["noise"][g == GROUP] for g in (1, 2, 3))).pvalue, abs=0.02
    )
    for rows in (found.columns, found.differences):
        assert [r.q for r in rows] == pytest.approx(false_discovery_control([r.p for r in rows]))  # type: ignore[attr-defined]
    table = [[int(((s == SITE) & (g == GROUP)).sum()) for g in (1, 2, 3)] for s in "ABC"]
    codes = np.searchsorted(["A", "B", "C"], SITE.astype(str))
    share, count = chi2_contingency(table).statistic / 42, 42
    corrected = np.sqrt((share - 4 / (count - 1)) / (3 - 4 / (count - 1) - 1))
    assert cramers_v(codes, GROUP - 1) == pytest.approx(corrected)


def test_unknown_values_take_no_part_and_columns_that_cannot_be_compared_are_named() -> None:
    age = AGE.copy()
    age[::3] = np.nan
    few = np.full(42, np.nan)
    few[:4] = 1.0, 2.0, 3.0, 4.0
    names = np.array([f"person {i}" for i in range(42)], object)
    found = associations(GROUP, {"age": age, "few": few, "one": np.full(42, "T1", object), "name": names})
    assert [row.subjects for row in found.columns] == [28]
    assert [text.split(" ")[0] for text in found.left_out] == ["few", "one", "name"]
    assert "42 different values" in found.left_out[2]


def test_one_group_is_compared_with_nothing() -> None:
    found = associations(np.ones(20, int), {"age": AGE[:20]})
    assert not found.columns and not found.differences and "fewer than two groups" in found.left_out[0]
