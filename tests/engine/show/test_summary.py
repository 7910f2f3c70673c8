"""summary: the head of a report as plain Markdown, whatever names hold; and the list of slides with the rejected ones."""

from __future__ import annotations

from pathlib import Path

from tile_engine.engine.show.page import Caution, ReportPage, Section
from tile_engine.engine.show.run_sections import SlideRow, list_of_slides
from tile_engine.engine.show.summary import write_summary


def test_a_summary_says_the_head_of_the_page_and_marks_up_no_name(tmp_path: Path) -> None:
    page = ReportPage(
        "Tissue clusters: <script>|x|",
        subtitle="Three kinds.",
        facts=(("slides", "3"),),
        cautions=(Caution("Cluster 2 follows a *slide*.", "Look at it."),),
        sections=(Section("Maps"), Section("Settings", folded=True)),
    )
    text = write_summary(tmp_path / "summary.md", page, "report.html").read_text()
    assert text.splitlines()[:3] == ["# Tissue clusters: \\<script\\>\\|x\\|", "", "Three kinds."]
    assert text.index("Three kinds.") < text.index("## What to look at first") < text.index("| slides | 3 |")
    assert "| slides | 3 |" in text and "* **Cluster 2 follows a \\*slide\\*.** Look at it." in text
    assert "In [report.html](report.html): Maps." in text


def test_the_list_of_slides_has_used_and_rejected_ones() -> None:
    used = SlideRow("a.svs", "a-1", (0.5, 0.5), (20_000, 10_000), 0.25, 8, (0.75, 0.25))
    rows = list_of_slides([used], [("b.svs", "E_NO_MPP", "no spacing")], legend=((1, "one", 0.75), (3, "three", 0.25)))
    assert rows[0]["size"] == "10000 x 20000" and (rows[0]["spacing_um"], rows[0]["tissue_mm2"]) == (0.5, 12.5)
    assert (rows[0]["cluster 1"], rows[0]["cluster 3"]) == (0.75, 0.25)
    assert rows[1] == {"name": "b.svs", "state": "rejected", "reason": "E_NO_MPP: no spacing"}
