"""Slides in several stains: a run for each, by one command; refused where a folder was decided on otherwise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tile_engine
from tile_engine import ClusterOptions, RunOptions, StainRuns
from tile_engine.cli.tell import print_result
from tile_engine.engine.maintenance.describe import describe
from tile_engine.engine.maintenance.status import statuses
from tile_engine.engine.pipeline.documents import StainRun, StainSlide
from tile_engine.engine.pipeline.documents import StainRuns as Stains
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runs import pipeline
from tile_engine.engine.runs.cluster import apart as decision
from tile_engine.engine.runtime import apart, divide
from tile_engine.engine.runtime.apart import plan_all
from tile_engine.errors import MachineError, NoInputError, SettingsError

HOW = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert", "sample"))


def listed(mini: Any, path: Path, *stains: str) -> Path:
    """A list of the three tiny slides with their stains; the first slides only, where there are fewer stains."""
    rows = [f"{mini.slides / name},{stain}" for name, stain in zip(("a.tif", "b.tif", "c.tif"), stains, strict=False)]
    path.write_text("\n".join(["path,stain", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def begun(mini: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of slides in two stains, converted and sampled; it is only ever read."""
    folder = tmp_path_factory.mktemp("apart")
    images = listed(mini, folder / "list.csv", "HE", "PAS", "HE")
    done = tile_engine.cluster(images, folder / "out", options=HOW, **mini.settings)
    assert isinstance(done, StainRuns) and done.status == "running" and done.exit_status == 75
    return folder / "out"


@pytest.fixture
def again(mini: Any, begun: Path, tmp_path: Path) -> Callable[..., Any]:
    """The same command on a copy, with other stains or settings."""

    def run(*stains: str, options: RunOptions = HOW, **settings: Any) -> Any:
        out = tmp_path / "out"
        if not out.exists():
            shutil.copytree(begun, out)
        images = listed(mini, tmp_path / "list.csv", *(stains or ("HE", "PAS", "HE")))
        return tile_engine.cluster(images, out, options=options, **{**mini.settings, **settings})

    return run


def test_each_stain_is_a_complete_run_in_a_folder_of_its_own(begun: Path) -> None:
    runs = StainRuns(begun).runs
    assert {name: len(run.slides) for name, run in runs.items()} == {"HE": 2, "PAS": 1}
    assert sorted(p.name for p in begun.iterdir()) == [
        "HE",
        "PAS",
        "report.html",
        "run.yaml",
        "stains.json",
        "summary.md",
    ]
    assert [Path(one.out).name for one in statuses(begun)] == ["HE", "PAS"]
    page = (begun / "report.html").read_text()
    assert "Not finished" in page and 'id="s2"' in page and "Slides: b.tif." in page


def receipts(out: Path) -> dict[str, int]:
    """Receipt -> when it was written."""
    return {p.relative_to(out).as_posix(): p.stat().st_mtime_ns for p in out.glob("*/receipts/*/*.json")}


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_resumed_command_says_what_it_does_and_repeats_nothing(
    again: Callable[..., Any], begun: Path, tmp_path: Path, is_lost: bool
) -> None:
    said: list[Event] = []
    shutil.copytree(begun, tmp_path / "out", ignore=shutil.ignore_patterns("stains.json") if is_lost else None)
    again(options=replace(HOW, report=said.append))
    texts = [event.text for event in said if event.kind == "note"]
    assert any("2 different stains, as the list of slides says:\n  HE: a.tif, c.tif" in text for text in texts)
    assert receipts(tmp_path / "out") == receipts(begun) and (tmp_path / "out" / "stains.json").exists()
    assert any("was lost" in event.text for event in said) == is_lost


def test_a_lost_record_of_the_stains_is_noticed(mini: Any, begun: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(begun, tmp_path / "out", ignore=shutil.ignore_patterns("stains.json")))
    for look in (tile_engine.open_run, describe):
        with pytest.raises(SettingsError, match=r"name one of .*HE, .*PAS.* its stains.json was lost") as refused:
            look(out)
        assert refused.value.code == "E_NO_RUN"
    with pytest.raises(SettingsError, match="would be mixed with them"):
        tile_engine.cluster(mini.slides, out, options=HOW, **mini.settings, stains="together")


def test_a_folder_that_was_decided_on_otherwise_is_refused(
    again: Callable[..., Any], mini: Any, tmp_path: Path
) -> None:
    refusals = {
        "makes one run of all images": lambda: again(stains="together"),
        "slide c.tif is in another stain now": lambda: again("HE", "PAS", "PAS"),
        "slide c.tif was removed": lambda: again("HE", "PAS"),
        "holds the conversion of all slides and nothing else yet, and they are in 2 stains": lambda: (
            tile_engine.cluster(
                listed(mini, tmp_path / "x.csv", "HE", "PAS", "HE"), whole, options=HOW, **mini.settings
            )
        ),
    }
    whole = tmp_path / "whole"
    together = {**mini.settings, "stains": "together"}
    tile_engine.cluster(mini.slides, whole, options=replace(HOW, stages=("convert",)), **together)
    for text, command in refusals.items():
        with pytest.raises(SettingsError, match=text) as refused:
            command()
        assert refused.value.code == "E_OTHER_SETTINGS"


@pytest.mark.parametrize("redo", [False, True])
def test_a_run_that_began_as_one_stain_does_not_take_in_another(mini: Any, tmp_path: Path, redo: bool) -> None:
    images = listed(mini, tmp_path / "list.csv", "HE", "HE", "PAS")
    with pytest.raises(SettingsError, match="one run of all slides, and they are in 2 stains") as refused:
        tile_engine.cluster(images, mini.out, options=replace(HOW, redo=redo), **mini.settings)
    assert refused.value.code == "E_OTHER_SETTINGS"


def test_a_stage_on_its_own_says_that_stains_are_together(monkeypatch: pytest.MonkeyPatch) -> None:
    job = SimpleNamespace(
        pipeline=pipeline("cluster", "slides"),
        settings=SimpleNamespace(stains="apart"),
        slides={i: SimpleNamespace(column=lambda name, i=i: {"a": "HE", "b": "PAS", "c": ""}[i]) for i in "abc"},
    )
    monkeypatch.setattr(divide, "load", lambda out: job)
    said: list[Event] = []
    divide.warn_together(Path("out"), said.append)
    assert [event.kind for event in said] == ["warning"] and "in 2 stains (HE, PAS)" in said[0].text
    job.settings.stains = "together"
    divide.warn_together(Path("out"), said.append)
    assert len(said) == 1


def test_slides_whose_stain_is_not_told_are_named_with_the_reason() -> None:
    slides = {i: StainSlide(name=f"{i}.svs", fingerprint="") for i in "abcd"}
    runs = (StainRun(name="stain-1", folder="stain-1", slides=slides),)
    untold = {"a": "timeout", "b": "tissue", "c": "timeout"}
    lines = list(
        divide.untold_lines(Stains(decided="pixels", input="", runs=runs, untold=untold, stained_mm2={"b": 0.25}))
    )
    assert len(lines) == 2 and "b.svs (0.25 mm²)" in lines[0] and "less than 4 mm² of stained tissue" in lines[0]
    assert "a.svs, c.svs" in lines[1] and "took too long" in lines[1] and "column `stain`" in lines[1]


def test_the_joined_page_keeps_what_is_said_once_and_drops_what_holds_no_more(
    mini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_colour(cohort: Any, settings: Any, earlier: Any) -> Stains:
        slides = {e.id: StainSlide(name=e.name, fingerprint="") for e in cohort.entries}
        first, *others = slides
        runs = tuple(
            StainRun(name=name, folder=name, slides={i: slides[i] for i in ids})
            for name, ids in (("stain-1", others), ("stain-2", [first]))
        )
        return Stains(decided="pixels", input=str(mini.slides), runs=runs, untold={others[0]: "timeout"})

    kind = pipeline("cluster", "slides")
    assert kind.apart is not None
    kind = replace(kind, apart=replace(kind.apart, decide=by_colour))
    monkeypatch.setattr(apart, "start", lambda *_: None)
    monkeypatch.setattr(apart, "begun_jobs", lambda *_: {})

    def warned(*warnings: str, redo: bool = False) -> list[str]:
        monkeypatch.setattr(apart, "tell_list", lambda _, report: [report(Event("warning", text)) for text in warnings])
        apart.start_all(kind, mini.slides, tmp_path / "out", replace(HOW, redo=redo), mini.settings)
        summary = (tmp_path / "out" / "summary.md").read_text()
        return [line for line in summary.splitlines() if line.startswith("* ")]

    page = warned("a row fits no image")
    assert "The slides are in 2 different stains" in " ".join(page) and "A row fits no image" in " ".join(page)
    assert sum("cannot be told" in line for line in page) == 1, "what stains.json has by itself is said once"
    for redo in (False, True):
        later = warned(redo=redo)
        assert "in 2 different stains" in " ".join(later) and "row" not in " ".join(later)
        assert len(later) == len(page) - 1


def test_all_runs_are_checked_before_the_first_begins(
    mini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, out = listed(mini, tmp_path / "list.csv", "HE", "PAS", "HE"), tmp_path / "out"
    (out / "PAS" / "maps").mkdir(parents=True)
    (out / "PAS" / "report.html").write_text("mine")
    with pytest.raises(SettingsError, match=r"^stain PAS: .*report\.html") as refused:
        tile_engine.cluster(images, out, options=HOW, **mini.settings)
    assert refused.value.code == "E_FOREIGN"
    (out / "PAS" / "report.html").unlink()
    need = [plan.disk for _, _, plan in plan_all(pipeline("cluster", "slides"), images, out, HOW, mini.settings)]
    monkeypatch.setattr(apart, "free_at", lambda path: sum(need) - 1)
    with pytest.raises(MachineError, match="the stains that have not begun") as full:
        tile_engine.cluster(images, out, options=HOW, **mini.settings)
    assert full.value.code == "E_NO_ROOM" and not (out / "HE").exists() and not (out / "stains.json").exists()


def test_a_redo_moves_slides_and_leaves_a_run_that_has_none(again: Callable[..., Any], tmp_path: Path) -> None:
    said: list[Event] = []
    done = again("HE", "HE", "HE", options=replace(HOW, redo=True, report=said.append))
    assert {name: len(run.slides) for name, run in done.runs.items()} == {"HE": 3}
    assert (tmp_path / "out" / "PAS" / "run.json").exists()
    assert any("stays as it is" in event.text for event in said)


def test_a_stain_without_a_usable_slide_does_not_stop_the_others(mini: Any, tmp_path: Path) -> None:
    (tmp_path / "no.tif").write_bytes(b"II*\0 cut short")
    images = tmp_path / "list.csv"
    images.write_text(f"path,stain\nno.tif,A\n{mini.slides / 'a.tif'},B\n")
    options = replace(HOW, stages=("convert", "sample"))
    with pytest.raises(NoInputError, match=r"stain A: no slide can be used: no.tif \["):
        tile_engine.cluster(images, tmp_path / "out", options=options, **mini.settings)
    assert not (tmp_path / "out" / "A").exists() and list(StainRuns(tmp_path / "out").runs) == ["B"]
    states = sorted(one.state for one in statuses(tmp_path / "out"))
    assert states[0] == "done so far" and states[1].startswith("not begun, no slide can be used: no.tif")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "No slide can be used: no.tif" in page and "Not begun" not in page


def test_one_run_is_asked_for_where_a_folder_holds_several(begun: Path) -> None:
    for command in (tile_engine.open_run, tile_engine.relabel, lambda out: tile_engine.search(out, "a.tif")):
        with pytest.raises(SettingsError, match=r"name one of .*HE \(stain HE\), .*PAS") as refused:
            command(begun)
        assert refused.value.code == "E_SEVERAL_RUNS"


def test_a_plan_has_a_part_for_each_stain_and_writes_nothing(mini: Any, tmp_path: Path) -> None:
    images = listed(mini, tmp_path / "list.csv", "HE", "PAS", "HE")
    said: list[Event] = []
    options = RunOptions(report=said.append)
    plans = list(plan_all(pipeline("cluster", "slides"), images, tmp_path / "out", options, mini.settings))
    times = [event for event in said if event.text.startswith("time")]
    assert [event.text.startswith("time of all runs together: ") for event in times] == [False, False, True]
    assert abs(times[2].facts["seconds"] - sum(event.facts["seconds"] for event in times[:2])) <= 2  # rounded
    assert [(out.name, len(opened.slides)) for out, opened, _ in plans] == [("HE", 2), ("PAS", 1)]
    assert not (tmp_path / "out").exists()


def test_a_foreign_report_is_not_overwritten(mini: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("mine")
    with pytest.raises(SettingsError, match="did not write it") as refused:
        images = listed(mini, tmp_path / "list.csv", "HE", "PAS", "HE")
        tile_engine.cluster(images, tmp_path / "out", options=HOW, **mini.settings)
    assert refused.value.code == "E_FOREIGN" and not (tmp_path / "out" / "stains.json").exists()


def test_no_pixels_are_read_for_one_slide_and_for_all_together(
    mini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def undecided(*_: Any) -> Any:
        raise AssertionError("a decision is made")

    kind = pipeline("cluster", "slides")
    monkeypatch.setattr(decision, "_of_column", undecided)
    together = {**mini.settings, "stains": "together"}
    for images, settings in ((mini.slides / "a.tif", mini.settings), (mini.slides, together)):
        assert len(list(plan_all(kind, images, tmp_path / "out", RunOptions(), settings))) == 1
    tile_engine.cluster(
        mini.slides, mini.copy(tmp_path / "done"), options=HOW, **mini.settings
    )  # found to be one stain


def test_results_are_printed_run_by_run(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert print_result(StainRuns(begun), as_json=True) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(line["out"]).name for line in lines] == ["HE", "PAS", "out"]
