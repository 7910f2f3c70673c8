"""What the command line warns of reaches warnings.json, also where a run is killed, resumed or done again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from conftest import tiny_slides

from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.api.running import run
from tile_engine.engine.pipeline.documents import read_run, write_run
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.pipeline.run_warnings import RunWarning, forget_warnings, read_warnings, write_warnings
from tile_engine.engine.runtime.loop import RunContext, written_at_once
from tile_engine.engine.runtime.recorder import Recorder, about
from tile_engine.engine.steps.convert.geometry import PYRAMID
from tile_engine.stores.folder import Folder


def test_warnings_are_kept_once_and_those_of_recorded_steps_stay(
    finished: Callable[[str, str], Any], tmp_path: Path
) -> None:
    run, folder, events = read_run(Folder(finished("embed", "slide-tiles").out)), Folder(tmp_path), list[Event]()
    steps = {name: record for name, record in run.steps.items() if name in ("pyramid", "report")}
    write_run(folder, run.model_copy(update={"steps": steps}))
    write_warnings(folder, [RunWarning(text=text, step=text) for text in ("open", "pyramid", "sample", "report")])
    recorder = Recorder(events.append)
    recorder(Event("note", "a note"))
    for _ in range(2):
        recorder(Event("warning", "a.tif: dim", facts=about("dim", ("a.tif",), "report")))
    recorder.begin(folder, opened=False)
    kept = [(one.text, one.images, one.step) for one in read_warnings(folder)]
    of_records = [("pyramid", (), "pyramid"), ("report", (), "report"), ("dim", ("a.tif",), "report")]
    assert kept == [("open", (), "open"), *of_records]
    assert len(events) == 3, "all events are passed on"
    write_run(folder, run.model_copy(update={"steps": {"pyramid": steps["pyramid"]}}))
    Recorder(events.append).begin(folder, opened=True)
    assert [one.text for one in read_warnings(folder)] == ["pyramid"], "what is done again says it again"


def test_what_no_receipt_has_is_written_at_once(finished: Callable[[str, str], Any], tmp_path: Path) -> None:
    write_run(Folder(tmp_path), read_run(Folder(finished("embed", "slide-tiles").out)))
    recorder = Recorder(lambda event: None)
    recorder.begin(Folder(tmp_path), opened=True)
    context = RunContext.__new__(RunContext)
    context.report, context.recorder = recorder, recorder
    written_at_once(
        context, Event("warning", "a checkpoint is damaged", facts=about("a checkpoint is damaged", (), "vae"))
    )
    assert [one.text for one in read_warnings(Folder(tmp_path))] == ["a checkpoint is damaged"]


def test_warnings_of_images_that_are_others_now_are_forgotten(tmp_path: Path) -> None:
    both = RunWarning(text="dim", images=("a.tif", "b.tif"), step="pyramid")
    write_warnings(Folder(tmp_path), [both, RunWarning(text="torn", images=("a.tif",)), RunWarning(text="slow")])
    forget_warnings(Folder(tmp_path), ["a.tif"])
    kept = [(one.text, one.images) for one in read_warnings(Folder(tmp_path))]
    assert kept == [("dim", ("b.tif",)), ("slow", ())]


def test_a_resumed_run_has_the_warnings_of_finished_units_from_their_receipts(tmp_path: Path) -> None:
    tiny_slides(tmp_path / "slides")
    blank = np.full((256, 300, 3), 245, np.uint8)
    tifffile.imwrite(
        tmp_path / "slides" / "blank.tif", blank, tile=(128, 128), resolution=(2e4, 2e4), resolutionunit="CENTIMETER"
    )
    events = list[Event]()

    def go() -> set[str]:
        options = RunOptions(cluster=ClusterOptions(cluster="none"), report=events.append, stages=("convert",))
        out = run(
            "embed", {"slides": tmp_path / "slides"}, tmp_path / "out", options=options, settings={"patch": 32}
        ).out
        return {one.text for one in read_warnings(Folder(out)) if one.images == ("blank.tif",) and one.step == PYRAMID}

    (text,) = go()
    assert text.startswith("no tissue was found") and f"blank.tif: {text}" in [event.text for event in events]
    (tmp_path / "out" / "warnings.json").unlink()
    events.clear()
    assert go() == {text}, "a killed process may not have written it"
    assert text not in " ".join(event.text for event in events if event.kind == "warning"), "it is not said again"
