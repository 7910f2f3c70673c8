"""verify and repair of a folder of several stains: every run is looked at, and what is missing is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tile_engine import RunOptions
from tile_engine.cli.tell import print_repairs, print_verdicts
from tile_engine.engine.maintenance import every_run
from tile_engine.engine.maintenance.every_run import Failure, repair_all, verify_all
from tile_engine.engine.maintenance.repair import Repair
from tile_engine.engine.maintenance.verify import Verdict
from tile_engine.engine.pipeline.documents import StainRun, StainRuns, write_stain_runs
from tile_engine.errors import CorruptError
from tile_engine.stores.folder import Folder


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs A (invalid documents), B (sound), C (not there), D (no slide can be used)."""
    failures = {"A": "", "B": "", "C": "", "D": "no slide can be used: d.svs is gone"}
    runs = tuple(StainRun(name=n, folder=n, slides={}, failure=text) for n, text in failures.items())
    write_stain_runs(Folder(tmp_path), StainRuns(decided="column", input="", runs=runs))
    (tmp_path / "report.html").write_text("page")

    def on(make: Any) -> Any:
        def work(folder: Path, **_: Any) -> Any:
            if folder.name == "A":
                raise CorruptError("run.json is invalid")
            return make(str(folder))

        return work

    monkeypatch.setattr(every_run, "find_run", lambda folder: folder.out.name in "AB" or None)
    monkeypatch.setattr(every_run, "verify", on(Verdict))
    monkeypatch.setattr(every_run, "repair", on(lambda out: Repair(out, (), 0, (), ())))
    return tmp_path


def outcomes(found: Any) -> list[tuple[str, int | None]]:
    return [(Path(one.out).name, one.exit_status if isinstance(one, Failure) else None) for one in found]


def test_every_run_is_looked_at_and_a_missing_one_is_said(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcomes(verify_all(out)) == [("A", 7), ("B", None), ("C", 7), ("D", 0)]
    assert print_verdicts(verify_all(out), as_json=False) == 7
    printed = capsys.readouterr()
    assert "all sound" in printed.out and "d.svs is gone" in printed.out and "run of stain C is missing" in printed.err
    assert outcomes(repair_all(out, options=RunOptions())) == [("A", 7), ("B", None), ("C", 7), ("D", 0)]
    assert print_repairs(repair_all(out, options=RunOptions()), as_json=True) == 7


def test_a_lost_page_is_found_and_written_again(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (out / "report.html").unlink()
    assert outcomes(verify_all(out))[-1] == ("report.html", 7)
    monkeypatch.setattr(every_run, "write_page", lambda folder, stains: (folder / "report.html").write_text("page"))
    assert len(outcomes(repair_all(out, options=RunOptions()))) == 4
    assert outcomes(verify_all(out))[-1] == ("D", 0)
