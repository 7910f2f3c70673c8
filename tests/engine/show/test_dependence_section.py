"""The section on what clusters depend on: figures where there are any, and reasons where there are none."""

from __future__ import annotations

from pathlib import Path

from tile_engine.engine.show.dependence_section import dependence_section
from tile_engine.engine.show.page import ReportPage
from tile_engine.engine.show.report import report_html
from tile_engine.models.evaluation.bound import BoundCluster
from tile_engine.models.evaluation.dependence import Dependence

FOUND = (
    Dependence("slide", 6, 6, 0.412, 0.409),
    Dependence("stain", 2, 6, 0.31, 0.249, 0.1, 0.1),
    Dependence("scanner", 1, 6, reason="there is one scanner, S60"),
)


def test_columns_have_a_row_or_a_reason() -> None:
    section = dependence_section(FOUND, ())
    [table] = section.tables
    assert table.rows == (("slide", 6, 6, "0.41", "0.41", None), ("stain", 2, 6, "0.31", "0.25", 0.1))
    assert section.text[1:] == ("Nothing can be said of the scanner: there is one scanner, S60.",)


def test_bound_clusters_have_a_table() -> None:
    section = dependence_section(FOUND, (BoundCluster(3, "stain", "CD31", 0.97, 0.2),))
    assert section.tables[1].rows == ((3, "stain CD31", "97.0 %", "20.0 %"),)


def test_columns_that_the_list_lacks_are_named() -> None:
    assert "no column site or group" in dependence_section(FOUND, (), absent=("site", "group")).text[-1]


def test_columns_of_the_list_that_were_not_compared_are_named_with_what_to_do() -> None:
    (said,) = dependence_section(FOUND, (), absent=["subject", "group"], others="diag, grade").text[3:]
    assert said.startswith("Among the list's columns of words, not compared: diag, grade.") and said.endswith(
        "the list: group."
    )
    assert "heading" not in dependence_section(FOUND, (), others="diag").text[-1]


def test_one_slide_gives_sentences_alone_and_the_page_is_written() -> None:
    section = dependence_section((Dependence("slide", 1, 1, reason="there is one slide"),), ())
    assert section.tables == ()
    html = report_html(ReportPage("t", sections=(section, dependence_section(FOUND, ()))), folder=Path())
    assert "there is one slide" in html and "Clusters and what they depend on" in html
