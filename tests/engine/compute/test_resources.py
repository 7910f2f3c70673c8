"""What a process holds open: each made once, so many at most, and nothing once it is closed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.api.running import resume
from tile_engine.engine.compute.resources import Bounded, Resources, resources
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.stores import cache
from tile_engine.stores.slides.guarded import Guarded


def test_the_oldest_goes_before_the_new_one_is_made() -> None:
    held, seen = Bounded(2), []
    for key in ("a", "b", "a", "c"):
        held.get(key, lambda key=key: seen.append((key, len(held))))
    assert seen == [("a", 0), ("b", 1), ("c", 1)] and len(held) == 2
    assert held.get("a", lambda: "made again") is None
    assert held.get("b", lambda: "made again") == "made again"


def test_threads_that_ask_at_once_are_given_the_same_value() -> None:
    held, made, together = Bounded(1), [], threading.Barrier(8)

    def ask(_: int) -> object:
        together.wait(30)
        return held.get("key", lambda: made.append(1) or object())

    with ThreadPoolExecutor(8) as pool:
        values = set(pool.map(ask, range(8)))
    assert len(values) == len(made) == 1


def test_what_cannot_be_made_is_tried_again() -> None:
    held = Bounded(1)
    with pytest.raises(ZeroDivisionError):
        held.get("key", lambda: 1 // 0)
    assert len(held) == 0 and held.get("key", lambda: 1) == 1


def test_a_slide_is_opened_once_until_everything_is_closed(mini: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job, own = load(mini.out), Resources()
    first, second, third = job.slides
    slide = own.slide(job, first)
    assert own.slide(job, first) is slide and own.slide(job, second) is not slide
    assert (len(own.slides), len(own.copies)) == (2, 0)
    own.close()
    assert len(own.slides) == 0 and own.slide(job, first) is not slide
    assert slide.read(slide.frames[0].box).any(), "whoever has it may go on reading"
    monkeypatch.setattr(cache, "is_copied", lambda path: True)
    own.slide(job, second)
    own.slide(job, third)
    assert (len(own.slides), len(own.copies)) == (1, 1)


def test_quarantined_tiles_are_masked(mini: Any) -> None:
    job = load(mini.out)
    image = next(iter(job.slides))
    job.crashing[image] = ((0, job.slides[image].frame.box),)
    try:
        assert isinstance(resources().slide(job, image), Guarded)
    finally:
        del job.crashing[image]
        resources().close()


def test_a_run_that_has_ended_leaves_nothing_open(mini: Any, tmp_path: Path) -> None:
    out = mini.copy(tmp_path / "out")
    job = load(out)
    resources().slide(job, next(iter(job.slides)))
    resume(out, options=RunOptions())
    assert not any(map(len, vars(resources()).values()))
