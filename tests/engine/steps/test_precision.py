"""precision: a run whose network is applied in bf16 says how many tiles keep the cluster that they have in float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runs.cluster.tree import clusters_document, in_float32
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps import precision
from tile_engine.engine.steps.apply import layer_image, plan_of, tile_units, trained
from tile_engine.stores.frame import Box


def unit_of(job: Any, unit: Unit) -> tuple[Any, Box, np.ndarray[Any, Any]]:
    plan = plan_of(job, unit.slide)
    box = Box(unit.start, tuple(a + u for a, u in zip(unit.start, plan.unit, strict=True)))
    box &= plan.source.frames[0].box
    fine = layer_image(job, unit.slide, "assignment").read(box.coarsen(plan.model.stride))[0]
    return plan, box, fine


def test_a_run_in_bf16_says_how_many_tiles_keep_their_cluster(
    finished: Callable[[str, str], Any], tmp_path: Path
) -> None:
    small = finished("cluster", "slides")
    told: list[Event] = []
    out = small.copy(tmp_path / "out")
    run = small.again(out, settings={"dtype": "bf16"}, redo=True, report=told.append)
    assert run.status == "done"
    job = load(out)
    compared, same = clusters_document(job).in_float32
    assert 0 < same <= compared and (compared, same) == in_float32(job)
    lines = [event.text for event in told if event.kind == "note" and "applied in bf16" in event.text]
    assert len(lines) == 1 and f"{same:,} of {compared:,} tiles" in lines[0]
    assert f"{same:,} of {compared:,} tiles" in (out / "report.html").read_text()


def test_a_run_in_float32_compares_nothing(finished: Callable[[str, str], Any]) -> None:
    job = load(finished("cluster", "slides").out)
    assert clusters_document(job).in_float32 == (0, 0)
    assert "applied in bf16" not in (job.folder.out / "report.html").read_text()


def test_tiles_that_have_another_cluster_are_counted(finished: Callable[[str, str], Any], monkeypatch: Any) -> None:
    monkeypatch.setattr(precision, "EVERY", 2)
    job = load(finished("cluster", "slides").out)
    unit = max(tile_units(job, "tiles"), key=lambda one: int((unit_of(job, one)[2] > 0).sum()))
    plan, box, fine = unit_of(job, unit)
    count = -(-int((fine > 0).sum()) // 2)
    assert precision.same_in_float32(plan, trained(job), box, fine) == (count, count), "the stored ones are in float32"
    other = np.where(fine > 0, fine % trained(job).clusters + 1, 0)
    assert precision.same_in_float32(plan, trained(job), box, other) == (count, 0)
    assert precision.same_in_float32(plan, trained(job), box, np.zeros_like(fine)) == (0, 0)
