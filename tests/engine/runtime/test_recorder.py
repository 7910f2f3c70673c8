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
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.pipeline.run_warnings import RunWarning, read_warnings, write_warnings
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.recorder import Recorder, about
from tile_engine.engine.steps.convert.geometry import PYRAMID
from tile_engine.stores.folder import Folder


def test_warnings_are_kept_once_and_those_of_stages_that_are_not_executed_stay(
    finished: Callable[[str, str], Any], tmp_path: Path
) -> None:
    pipeline, folder, events = load(finished("embed", "slide-tiles").out).pipeline, Folder(tmp_path), list[Event]()
    write_warnings(folder, [RunWarning(text=text, step=text) for text in ("open", "pyramid", "report")])
    recorder = Recorder(events.append)
    recorder(Event("note", "a note"))
    for _ in range(2):
        recorder(Event("warning", "a.tif: dim", facts=about("dim", ("a.tif",), "report")))
    recorder.begin(folder, pipeline, ("map",), opened=False)
    kept = [(one.text, one.images, one.step) for one in read_warnings(folder)]
    assert kept == [("open", (), "open"), ("pyramid", (), "pyramid"), ("dim", ("a.tif",), "report")]
    assert len(events) == 3, "all events are passed on"
    again = Recorder(events.append)
    again.begin(folder, pipeline, pipeline.stages, opened=True)
    assert read_warnings(folder) == (), "what is done again says it again"


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
