"""The section on groups: shares, ratios with intervals, corrected p; what is not compared is said."""

from __future__ import annotations

from pathlib import Path

from tile_engine.engine.show.groups_section import groups_section
from tile_engine.engine.show.page import ReportPage
from tile_engine.engine.show.report import report_html
from tile_engine.models.evaluation.effects import Effect
from tile_engine.models.evaluation.groups import ClusterDifference, GroupComparison

EFFECT = Effect((0, 1), 1.7, 1.1, 2.6)
COMPARED = GroupComparison(
    ("case", "control"),
    (8, 9),
    (
        ClusterDifference(1, (0.4, 0.6), 0.004, 0.008, (EFFECT,)),
        ClusterDifference(2, (0.6, 0.4), 0.3, 0.3, (EFFECT,)),
    ),
    least_p=0.001,
    left_out=("slides without a group or without tiles: 2",),
)


def test_a_row_has_shares_ratio_and_p() -> None:
    section = groups_section(COMPARED, names=("stroma", "tumour"))
    [table] = section.tables
    assert table.rows[0] == ("stroma", 0.4, 0.6, "1.70 (1.10 to 2.60)", 0.004, 0.008)
    assert [c.name for c in table.columns][3] == "Ratio control : case" and table.marked == {0}
    assert "case (8 subjects), control (9 subjects)" in section.text[0]
    assert section.text[-1] == "Left out: slides without a group or without tiles: 2."


def test_too_few_subjects_for_any_finding_are_said_to_be() -> None:
    few = GroupComparison(("a", "b"), (3, 3), COMPARED.differences, least_p=0.1)
    assert "p cannot be below 0.1" in groups_section(few, names=("1", "2")).text[1]
    many = GroupComparison(("a", "b"), (4, 4), COMPARED.differences, least_p=2 / 70)  # one of two clusters: q is 0.057
    assert "one cluster alone" in groups_section(many, names=("1", "2")).text[1]


def test_a_refusal_is_a_sentence() -> None:
    refused = GroupComparison(reason="there is one group")
    section = groups_section(refused, names=())
    assert section.text == ("No groups are compared: there is one group.",) and section.tables == ()


def test_the_page_is_written() -> None:
    html = report_html(ReportPage("t", sections=(groups_section(COMPARED, names=("<b>", "2")),)), folder=Path())
    assert "1.70 (1.10 to 2.60)" in html and "&lt;b&gt;" in html
