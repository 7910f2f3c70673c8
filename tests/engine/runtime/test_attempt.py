"""The time of an attempt that was killed counts, up to its last sign of life."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from tile_engine.engine.maintenance.status import status
from tile_engine.engine.pipeline.documents import StepRecord, read_run
from tile_engine.engine.runtime.attempt import close_attempts, seconds_of_attempt
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.loop import _mark
from tile_engine.stores.folder import Folder
from tile_engine.stores.lock import Lock


def test_status_and_the_next_attempt_count_the_time_of_one_that_was_killed(mini: Any, tmp_path: Path) -> None:
    out, begun = mini.copy(tmp_path / "out"), time.time() - 3600
    document = json.loads((out / "run.json").read_text())
    document["status"] = "running"
    document["steps"]["autoencoder"] |= {"status": "running", "wall": 2.0, "begun": begun}
    (out / "run.json").write_text(json.dumps(document))
    os.utime(out / "receipts" / "autoencoder", (begun - 60, begun - 60))
    progress = out / "receipts" / "progress.json"
    progress.write_text(json.dumps({"step": "autoencoder", "done": 5, "total": 20, "share": 0.25, "figures": {}}))
    os.utime(progress, (begun + 7, begun + 7))
    [stopped] = [one for one in status(out).steps if one.state == "stopped"]
    assert stopped.inside == "5/20 steps" and abs(stopped.wall - 9) < 0.01
    with Lock(out):
        close_attempts(Folder(out))
        [waiting] = [one for one in status(out).steps if one.title == stopped.title]
        assert waiting.state == "stopped" and abs(waiting.wall - 9) < 0.01, "it has not come to this step yet"
        _mark(load(out), "autoencoder", "running", {"read": 0.0, "compute": 0.0, "write": 0.0}, begun=time.time() - 5)
        [running] = [one for one in status(out).steps if one.title == stopped.title]
        assert running.state == "running" and 13.9 < running.wall < 60
    record = read_run(Folder(out)).steps["autoencoder"]
    assert abs(record.wall - 9) < 0.01 and time.time() - record.begun < 60


def test_steps_that_are_done_beside_another_one_run_and_count_no_time_of_their_own(mini: Any, tmp_path: Path) -> None:
    out = mini.copy(tmp_path / "out")
    document = json.loads((out / "run.json").read_text())
    step = load(out).pipeline.steps["layout"]
    for name in ("layout", *step.meanwhile):
        document["steps"][name] |= {
            "status": "running",
            "wall": 0.0,
            "begun": time.time() - 99 if name == "layout" else 0.0,
        }
    (out / "run.json").write_text(json.dumps(document))
    with Lock(out):
        found = [one for one in status(out).steps if one.state == "running"]
    assert len(found) == 1 + len(step.meanwhile) > 1 and sum(one.wall > 0 for one in found) == 1


def test_an_attempt_without_a_sign_of_life_took_no_time(tmp_path: Path) -> None:
    record = StepRecord(fingerprint="", status="running", seconds={}, wall=0.0, begun=time.time())
    assert seconds_of_attempt(Folder(tmp_path), "train", record) == 0
