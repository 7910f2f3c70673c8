"""What lies beside every report: its head as text, and the list of the run's images."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RUNS = {
    ("embed", "slide-tiles"): ("slides.csv", 3),
    ("cluster", "subjects"): ("volumes.csv", 6),
    ("register", "sections"): ("sections.csv", 2),
    ("classify", "films"): ("films.csv", 270),
}
"""A run on each kind of images -> its list, and the images in it."""


@pytest.mark.parametrize(("name", "variant"), RUNS)
def test_every_run_has_its_summary_and_the_list_of_its_images(
    finished: Callable[[str, str], Any], name: str, variant: str
) -> None:
    out: Path = finished(name, variant).out
    listed, count = RUNS[name, variant]
    with (out / listed).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count and {row["state"] for row in rows} <= {"used", "left out"}
    assert len({row["name"] for row in rows}) == count
    summary, page = (out / "summary.md").read_text(), (out / "report.html").read_text()
    assert summary.startswith("# ") and "[report.html](report.html)" in summary
    assert f'href="{listed}"' in page and 'href="summary.md"' in page
    assert f"tile-engine view {out.name}" in page
