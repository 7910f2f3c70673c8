"""The finished runs of several stains, together: their status, their joined page, and commands that go through all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tile_engine import StainRuns
from tile_engine.cli import maintenance
from tile_engine.engine.api import running, stain_runs
from tile_engine.engine.maintenance.describe import describe
from tile_engine.engine.pipeline.documents import StainRun, StainSlide, find_stain_runs, write_stain_runs
from tile_engine.engine.pipeline.documents import StainRuns as Document
from tile_engine.engine.pipeline.image_documents import read_images
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runs.cluster.joined_page import write_joined_page
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.stain_folders import begun_jobs, join_again
from tile_engine.engine.show.page import Caution
from tile_engine.engine.steps.first_looks import CAUTIONS, REPORT_STEP, cautions_in, kept_cautions
from tile_engine.stores.array import written
from tile_engine.stores.folder import Folder
from tile_engine.stores.receipts import Ledger


@pytest.fixture(scope="module")
def out(mini: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stains that are the same finished run."""
    out: Path = tmp_path_factory.mktemp("stains") / "out"
    for name in ("HE", "PAS"):
        mini.copy(out / name)
    records = read_images(load(out / "HE").folder)
    slides = {i: StainSlide(name=r.name, fingerprint=r.fingerprint) for i, r in records.items()}
    runs = tuple(StainRun(name=name, folder=name, slides=slides) for name in ("HE", "PAS"))
    stains = Document(decided="pixels", input=str(mini.slides), runs=runs, untold={next(iter(slides)): "timeout"})
    write_stain_runs(Folder(out), stains)
    write_joined_page(out, stains, begun_jobs(out, stains))
    return out


def test_they_are_done_when_each_is(out: Path) -> None:
    runs = StainRuns(out)
    assert runs.status == "done" and runs.exit_status == 0 and list(runs.runs) == ["HE", "PAS"]
    assert "HE, PAS, done" in repr(runs) and runs.runs["PAS"].tiles.n_obs > 0


def test_the_page_says_what_each_run_found_and_links_its_report(out: Path) -> None:
    page = StainRuns(out).report.read_text()
    assert page.count('href="HE/report.html"') == page.count('href="PAS/report.html"') == 1
    assert page.count("<img ") == 6 and 'href="HE/maps/a-' in page
    assert page.count("can be told apart reproducibly") + page.count("come back") >= 2
    assert "told by their colours" in page and "The stain of 1 slides cannot be told" in page and "2 of 2" in page
    assert "reading it took too long" in page
    assert "tile-engine view out" in page and "Report of 20" in page
    assert 'href="HE/slides.csv"' in page and 'href="PAS/summary.md"' in page


def test_the_page_has_the_cautions_of_each_run_once(out: Path) -> None:
    job, own = load(out / "HE"), Caution("All heads collapsed.", "Do not rely on them.")
    ledger = Ledger(out / "HE", REPORT_STEP, job.ledger_key(REPORT_STEP))
    facts = {CAUTIONS: kept_cautions([own])}
    ledger.write(REPORT_STEP, [written(out / "HE" / "summary.md")], seconds={}, facts=facts)
    assert cautions_in(job) == (own,) and cautions_in(load(out / "PAS")) == ()
    stains = find_stain_runs(Folder(out))
    assert stains is not None
    write_joined_page(
        out, stains.model_copy(update={"warnings": ("the list has a row too many",)}), begun_jobs(out, stains)
    )
    summary = (out / "summary.md").read_text()
    assert summary.count("* **HE: All heads collapsed.** Do not rely on them.") == 1 and "PAS: All" not in summary
    assert summary.count("The list has a row too many.") == 1
    write_joined_page(out, stains, begun_jobs(out, stains))


def test_info_describes_all_runs(out: Path) -> None:
    facts = describe(out).facts
    assert [value for name, value in facts if name == "run"] == [str(out / "HE"), str(out / "PAS")]
    assert all("done" in value for name, value in facts if name == "state")


def undated(page: bytes) -> bytes:
    return re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d UTC", b"", page)


def test_the_page_follows_a_change_of_one_run(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (out / "report.html").read_bytes()
    monkeypatch.setattr("tile_engine.engine.runtime.start.relabel", lambda out, **_: Path(out))
    (out / "report.html").write_text("of an earlier level")
    running.relabel(out / "HE", 2)
    assert undated((out / "report.html").read_bytes()) == undated(page)
    said: list[Event] = []
    join_again(out / "other", said.append)  # no run of this folder
    assert not said and undated((out / "report.html").read_bytes()) == undated(page)


def test_a_stain_that_cannot_be_used_leaves_the_others_done(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stains = find_stain_runs(Folder(out))
    assert stains is not None
    unusable = StainRun(name="A", folder="A", slides={}, failure="no slide can be used: a.svs is gone")
    found = stains.model_copy(update={"runs": (*stains.runs, unusable)})
    monkeypatch.setattr(stain_runs, "find_stain_runs", lambda folder: found)
    runs = StainRuns(out)
    assert runs.status == "done" and runs.exit_status == 4 and list(runs.runs) == ["HE", "PAS"]


def test_verify_goes_through_all_runs(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert maintenance.verify(str(out), {}) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        f"{out / n}" for n in ("HE", "PAS")
    ]
