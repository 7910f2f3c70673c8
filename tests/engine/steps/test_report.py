"""What a report says of the run that makes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.pipeline.documents import RunDocument, StepRecord, write_run
from tile_engine.engine.runs import pipeline
from tile_engine.engine.steps.report import (
    MAX_LINKED,
    RUN_FILE_TOP,
    has_run_file,
    links_of,
    origin_section,
    stage_times,
)
from tile_engine.stores.folder import Folder

SECONDS = {"read": 1.0, "compute": 2.0, "write": 3.0}


def times(folder: Path, begun_run: Callable[..., RunDocument], unfinished: str, **steps: str) -> list[str]:
    """Titles of the steps that a report lists, of a run whose steps have these states."""
    records: dict[str, Any] = {
        name: StepRecord(fingerprint="", status=status, seconds=SECONDS, wall=4.0)  # type: ignore[arg-type]
        for name, status in steps.items()
    }
    write_run(Folder(folder), begun_run(steps=records))
    job: Any = SimpleNamespace(folder=Folder(folder), pipeline=pipeline("cluster", "slides"))
    found = stage_times(job, unfinished=unfinished)
    assert all((time.read, time.compute, time.write, time.wall) == (1.0, 2.0, 3.0, 4.0) for time in found)
    return [time.stage for time in found]


@pytest.mark.parametrize("status", ["running", "complete"])  # complete: the report is made again by a repair
def test_no_report_lists_its_own_step(tmp_path: Path, begun_run: Callable[..., RunDocument], status: str) -> None:
    found = times(tmp_path, begun_run, "report", pixels="complete", table="complete", report=status)
    assert found == ["convert", "table"]


def test_a_step_that_is_not_finished_has_no_time_yet(tmp_path: Path, begun_run: Callable[..., RunDocument]) -> None:
    assert times(tmp_path, begun_run, "report", pixels="complete", table="running") == ["convert"]


def commands(out: Path) -> list[Any]:
    (table,) = origin_section(out, "cluster", "tile-engine", ()).tables
    return [row[1:] for row in table.rows]


def test_only_a_run_file_that_tile_engine_wrote_is_named(tmp_path: Path) -> None:
    out, ours = tmp_path / "runs" / "HE", RUN_FILE_TOP.format(name="cluster") + "slides: here\n"
    out.mkdir(parents=True)
    view = ("the folder above that of this report", "tile-engine view HE")
    again = "tile-engine run cluster --config run.yaml --out NEW"
    (out / "run.yaml").write_text("mine: 1\n")
    (out.parent / "run.yaml").write_text(ours)
    assert commands(out) == [view]
    (out.parent / "stains.json").write_text("{}")
    assert commands(out) == [("the folder above that of this report", again), view]
    (out / "run.yaml").write_text(ours)
    assert commands(out) == [("the folder of this report", again), view]
    assert not has_run_file(out, "embed")


def test_outlines_that_are_not_linked_are_counted_whichever_images_have_some(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    slides = {f"s{i:03}": SimpleNamespace(name=f"s{i:03}.svs") for i in range(MAX_LINKED + 40)}
    for number, image in enumerate(slides):
        if number % 10 and number != MAX_LINKED - 1:
            (tmp_path / "maps" / f"{image}.geojson").write_text("{}")
    modality = SimpleNamespace(plural="slides")
    links = [link.text for link in links_of(SimpleNamespace(folder=Folder(tmp_path), modality=modality, slides=slides))]
    assert len(links) == 2 + MAX_LINKED and links[-1].endswith("(maps/ has those of 29 more)")
