"""The scheduler forgets what it noted of units that are done."""

from __future__ import annotations

import pytest
from dask.utils import key_split
from distributed import Client, LocalCluster

from tile_engine.engine.workers import scheduler_memory as flat_module
from tile_engine.engine.workers.window import window


def notes(dask_scheduler: object) -> int:
    spans = dask_scheduler.extensions["spans"].spans.values()  # type: ignore[attr-defined]
    return sum(len(span._metadata["collections"]) for span in spans if span._metadata)


def test_the_scheduler_keeps_no_note_for_every_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat_module, "EVERY", 10)
    with (
        LocalCluster(1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as one,
    ):
        answers = list(flat_module.flat(one, window(one, abs, range(-60, 0))))
        left = one.run_on_scheduler(notes)
    assert sorted(answers) == list(range(1, 61))
    assert left <= 15  # of 60
    assert key_split.cache_info().currsize <= 15


def test_a_scheduler_without_such_notes_is_left_alone() -> None:
    class Bare:
        def __init__(self) -> None:
            self.extensions: dict[str, object] = {}

        def run_on_scheduler(self, function):  # type: ignore[no-untyped-def]
            function(self)

    assert list(flat_module.flat(Bare(), iter(range(2000)))) == list(range(2000))
