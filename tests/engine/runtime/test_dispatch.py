"""Units whose workers end again and again: with a slide they are looked into, without one the run stops and can go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runtime.dispatch import answers
from tile_engine.engine.workers.window import Died
from tile_engine.errors import MachineError, UnfinishedError


class DeadlyPool:
    """Of workers that all end at every unit."""

    client = object()

    def map(self, work: Callable[[Unit], Any], units: Iterable[Unit]) -> Iterator[Died]:
        return (Died(unit, "the system took its memory back") for unit in units)


def test_a_unit_of_no_slide_that_ends_every_worker_stops_the_run(tmp_path: Path) -> None:
    pool: Any = DeadlyPool()
    with pytest.raises(
        UnfinishedError, match=r"'autoencoder' died .the system took its memory back.*is safe"
    ) as failure:
        list(answers(tmp_path, [Unit("autoencoder", "autoencoder")], pool, 60))
    assert (failure.value.code, failure.value.exit_status) == ("E_WORKER_DIED", 75)


def test_memory_that_runs_out_in_a_unit_ends_the_run_with_its_step(
    cohorts: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tile_engine.engine.steps.convert import pixels

    def short(*given: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(pixels, "chunk_reader", short)
    how = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",))
    with pytest.raises(MachineError, match=r"memory ran out in step 'pixels'.*fewer workers") as failure:
        tile_engine.cluster(cohorts["slides"], tmp_path / "out", options=how, threads=1, patch=32)
    assert (failure.value.code, failure.value.exit_status) == ("E_MEMORY", 5)
