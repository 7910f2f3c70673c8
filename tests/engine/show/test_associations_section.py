"""The section on groups and columns: both tables, notable rows set off, and what cannot be said is said."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from tile_engine.engine.runs.cluster.subjects.documents import DifferenceRow
from tile_engine.engine.show.associations_section import associations_section
from tile_engine.models.evaluation.associations import associations


def test_rows_of_columns_and_groups_are_shown_and_notable_ones_marked() -> None:
    group = np.repeat([1, 2], 12)
    found = associations(
        group, {"age": np.r_[np.arange(12.0), np.arange(12.0) + 40], "sex": np.tile(["F", "M"], 12).astype(object)}
    )
    section = associations_section(found.columns, found.differences, left_out=("code (24 values)",), notes=("a note",))
    columns, groups = section.tables
    assert [row[0] for row in columns.rows] == ["age", "sex"] and columns.marked == {0}
    assert groups.rows[1][:5] == ("group 2", "age", "12, 12", "45.5", "5.5") and groups.marked == {0, 1}
    assert groups.rows[2][1] == "sex M" and str(groups.rows[2][5]).startswith("× 1 (") and np.isnan(groups.rows[2][6])
    assert "Not compared: code (24 values)." in section.text and "a note." in section.text
    assert not any("says nothing" in text for text in section.text)


def test_an_infinite_odds_ratio_has_its_exact_interval_before_and_after_its_document() -> None:
    """Seven of seven men beside seven of sixteen: nothing is added to the counts, and the interval leaves 1 out as p does."""
    group, sex = np.repeat([1, 2], [16, 7]), np.r_[["F"] * 9, ["M"] * 14].astype(object)
    found = associations(group, {"sex": sex}, seed=0)
    row = found.differences[1]
    assert row.group == 2 and row.p < 0.05 and row.effect == row.high == np.inf and row.low > 1
    stored = DifferenceRow(**asdict(row))
    for shown in (row, DifferenceRow.model_validate_json(stored.model_dump_json())):
        section = associations_section(found.columns, (shown,), left_out=(), notes=())
        assert section.tables[1].rows[0][5] == "× ∞ (1.249 to ∞)"
    assert any("exact" in text for text in section.text)


def test_few_subjects_and_no_groups_are_said() -> None:
    few = associations(np.repeat([1, 2], 3), {"age": np.arange(6.0)})
    text = " ".join(associations_section(few.columns, few.differences, left_out=(), notes=()).text)
    assert "no difference can be notable in age" in text
    none = associations_section((), (), left_out=("age (one group)",), notes=())
    assert none.text == ("No group is compared with others.", "Not compared: age (one group).") and not none.tables
