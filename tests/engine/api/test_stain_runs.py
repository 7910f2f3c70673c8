"""The finished runs of several stains, together: their status, their joined page, and commands that go through all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tile_engine import StainRuns
from tile_engine.cli import maintenance
from tile_engine.engine.pipeline.documents import StainRun, StainSlide, read_images, write_stain_runs
from tile_engine.engine.pipeline.documents import StainRuns as Document
from tile_engine.engine.runs.cluster.joined_page import write_joined_page
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.stain_folders import begun_jobs
from tile_engine.stores.folder import Folder


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


def test_verify_goes_through_all_runs(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert maintenance.verify(str(out), {}) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        f"{out / n}" for n in ("HE", "PAS")
    ]
