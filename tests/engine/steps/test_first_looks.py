"""What a report says first: rejected images, its own cautions, and every warning of the run, once, in summary.md too."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.pipeline.image_documents import read_rejected, write_rejected
from tile_engine.engine.pipeline.job import Job
from tile_engine.engine.pipeline.record import Rejection
from tile_engine.engine.pipeline.run_warnings import RunWarning, write_warnings
from tile_engine.engine.runtime.load import load
from tile_engine.engine.show.page import Caution, ReportPage
from tile_engine.engine.steps.first_looks import first_looks, noted
from tile_engine.engine.steps.report_files import write_report_files
from tile_engine.stores.lists.spellings import joined_rows


@pytest.fixture
def job(finished: Callable[[str, str], Any], tmp_path: Path) -> Job[Any]:
    job = load(finished("embed", "slide-tiles").out)
    return replace(job, folder=replace(job.folder, out=Path(shutil.copytree(job.folder.out, tmp_path / "out"))))


def said(job: Job[Any], *own: Caution) -> list[str]:
    return [f"{one.headline} {one.text}".strip() for one in first_looks(job, own)]


def test_a_sound_run_has_nothing_to_look_at(job: Job[Any]) -> None:
    write_warnings(job.folder, [])
    assert said(job) == [] and read_rejected(job.folder) == {}


def test_rejected_images_come_first_with_their_share_of_all(job: Job[Any]) -> None:
    reason = "no spacing is stated. Give --mpp."
    write_rejected(job.folder, {n: Rejection(f"s/{n}.tif", "E_NO_MPP", f"{n}.tif: {reason}") for n in "xy"})
    write_warnings(job.folder, [])
    first, own = said(job, Caution("Mine."))
    assert first.startswith(
        "2 of 5 slides were rejected. s/x.tif, s/y.tif: no spacing is stated. Give --mpp [E_NO_MPP]."
    )
    assert own == "Mine."


def test_warnings_are_grouped_counted_and_sorted_by_step(job: Job[Any]) -> None:
    warnings = [
        RunWarning(text="2 % of it is unreadable", images=("b.tif",), step="pyramid"),
        RunWarning(text="12.5 % of it is unreadable", images=("a.tif",), step="pyramid"),
        RunWarning(text="the file states 1 um; 2 um is used", images=("a.tif", "b.tif", "gone.tif")),
        RunWarning(text="the list has a row too many"),
        RunWarning(text="of a step that is no more", step="other"),
        RunWarning(text="said by the page, too", images=("a.tif",)),
    ]
    write_warnings(job.folder, warnings)
    own, of_list, spacing, lost = said(job, Caution("A.", "Said by the page, too."))
    assert own == "A. Said by the page, too." and of_list == "The list has a row too many."
    assert spacing == "2 of 3 slides: the file states 1 um. 2 um is used. Slides: a.tif, b.tif."
    assert lost.startswith(
        "2 of 3 slides: 12.5 % of it is unreadable, and the like with other numbers (1 more). Slides: a.tif, b.tif"
    )


def test_a_warning_that_the_page_has_as_a_caution_of_its_own_stands_once(job: Job[Any]) -> None:
    texts = ("No film has a label. Networks learn all of them", "too few: see below", "it is dark; look at it")
    write_warnings(job.folder, [RunWarning(text=text, step="pyramid") for text in texts])
    own = [noted(text) for text in texts]
    assert [one.headline for one in first_looks(job, own)] == [one.headline for one in own]


def test_the_report_and_its_summary_say_them(job: Job[Any]) -> None:
    write_warnings(job.folder, [RunWarning(text="give `--mpp` a value: it is guessed")])
    write_report_files(job, ReportPage("t", "Three kinds."))
    page, summary = job.folder.report.read_text(), (job.folder.out / "summary.md").read_text()
    assert "<strong>Give <code>--mpp</code> a value.</strong> <span>It is guessed.</span>" in page
    assert page.index("Three kinds.") < page.index("What to look at first") < page.index("Give <code>")
    assert "* **Give `--mpp` a value.** It is guessed." in summary


def test_names_of_files_and_columns_are_written_as_they_are() -> None:
    """Capital letters of files are told apart, and a column has the name that the list gives it."""
    of_file, of_column = (
        noted("list.csv: 1 of 5 rows name no file: 'a.svs'"),
        noted("values are joined: diag: 'a' taken for 'A'"),
    )
    assert (of_file.headline, of_file.text) == ("list.csv: 1 of 5 rows name no file.", "'a.svs'.")
    assert (of_column.headline, of_column.text) == ("Values are joined.", "diag: 'a' taken for 'A'.")
    assert noted("no film has a label. networks learn").headline == "No film has a label."
    texts = joined_rows([{"diag": "A", "sex": "M"}, {"diag": "a", "sex": "male"}])[1]
    assert len({noted(text).headline for text in texts}) == 2, "each column has a caution of its own"
