"""Pace: the time left is the forecast, corrected by what was measured, in the step that runs and in those of its group."""

from __future__ import annotations

import itertools

import pytest

from tile_engine.engine.pipeline.pace import Pace, minutes
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runs import RUNS, command, pipeline

GROUPS = {"convert": "images", "train": "network", "apply": "network", "report": "map"}
EXPECTED = {"convert": 10.0, "train": 100.0, "apply": 50.0, "report": 5.0}


class Told:
    """A pace on a clock of its own: the time that it finds after each event, before it is smoothed, and what it told."""

    def __init__(self, expected: dict[str, float], workers: int = 1) -> None:
        self.now = 0.0
        self.events: list[Event] = []
        self.pace = Pace(self.events.append, GROUPS, clock=lambda: self.now, workers=workers)
        self.pace.expected = expected

    def after(self, seconds: float, title: str, done: float, total: float, **facts: object) -> float | None:
        self.now += seconds
        self.pace(Event("progress", title, done=done, total=total, facts=facts))
        return self.pace.left() if "left" in self.events[-1].facts else None

    def told(self, name: str = "left") -> float:
        return float(self.events[-1].facts[name])


def test_a_step_that_is_slower_than_forecast_makes_its_group_slower() -> None:
    told = Told(EXPECTED)
    assert told.after(0, "convert", 0, 4) == 165
    assert told.after(5, "convert", 2, 4) == 160
    told.after(5, "convert", 4, 4)
    told.after(0, "train", 0, 1)
    told.after(10, "train", 5, 100, steps=True)
    left = told.after(10, "train", 10, 100, steps=True)  # twice as long as forecast
    assert left == pytest.approx(180 + 2 * 50 + 5, abs=6)
    told.after(180, "train", 1, 1)
    assert told.after(0, "apply", 0, 10) == pytest.approx(105, abs=6)
    assert told.after(25, "apply", 5, 10) == pytest.approx(25 + 5, abs=6)


def test_folds_are_units_and_their_steps_count_within_them() -> None:
    told = Told({"train": 100.0})
    told.after(0, "train", 0, 4)
    told.after(5, "train", 25, 100, steps=True)
    assert told.after(5, "train", 50, 100, steps=True) == pytest.approx(70)
    told.after(10, "train", 1, 4)
    assert told.after(10, "train", 50, 100, steps=True) == pytest.approx(50)


def test_what_a_step_is_waited_for_beside_another_is_not_of_its_pace() -> None:
    told = Told({"apply": 70.0})
    told.after(0, "apply", 1, 8, before=1)
    told.after(100, "apply", 2, 8, before=2)
    assert told.after(10, "apply", 3, 8, before=2) == pytest.approx(50)


def test_what_was_done_before_does_not_count_as_fast() -> None:
    told = Told(EXPECTED)
    told.after(0, "convert", 0, 4)
    told.after(0, "convert", 4, 4, before=4)
    told.after(0, "train", 0, 1000)  # as the loop tells it: receipts are counted with the first unit that is done
    slower = 10 / (EXPECTED["train"] / 1000)
    left = told.after(10, "train", 901, 1000, before=900)
    assert left == pytest.approx(99 * 10 + slower * EXPECTED["apply"] + EXPECTED["report"], rel=0.01)


def test_a_step_without_a_forecast_is_named_until_some_of_it_was_done() -> None:
    told = Told({"apply": 50.0, "report": 5.0})
    told.pace.unknown = ("train",)
    assert told.after(5, "convert", 0, 2) == 55 and told.events[-1].facts["without"] == ["train"]
    assert told.after(5, "train", 0, 1) == 55 and told.events[-1].facts["without"] == ["train"]
    assert told.after(10, "train", 10, 40, steps=True) == 55 and told.events[-1].facts["without"] == ["train"]
    assert told.after(10, "train", 20, 40, steps=True) == pytest.approx(20 + 55)
    assert told.events[-1].facts["without"] == []


def test_what_comes_before_the_first_step_of_a_training_is_not_taken_for_its_pace() -> None:
    told = Told({"train": 100.0, "apply": 50.0})
    told.after(0, "train", 0, 3)
    first = told.after(20, "train", 1, 100, steps=True)  # data are read, then a step takes a tenth of a second
    assert first == pytest.approx(100 + 50, rel=0.05)
    left = told.after(1, "train", 11, 100, steps=True)
    assert left == pytest.approx(8.9 + 2 * (10 + 19.9) + 0.9 * 50, rel=0.02)


def test_units_that_are_trained_at_once_are_counted_at_once() -> None:
    told = Told({"train": 100.0}, workers=2)
    told.after(0, "train", 0, 4)
    told.after(5, "train", 25, 100, steps=True)
    assert told.after(5, "train", 50, 100, steps=True) == pytest.approx(10 + 20)
    told.after(10, "train", 1, 4)
    told.after(0, "train", 2, 4)
    assert told.after(10, "train", 50, 100, steps=True) == pytest.approx(10)


def test_a_slow_start_of_another_group_says_nothing_of_the_network() -> None:
    told = Told(EXPECTED)
    told.after(0, "convert", 0, 4)
    told.after(100, "convert", 4, 4)  # ten times as long as forecast
    assert told.after(0, "train", 0, 1) == 155


def test_without_a_forecast_nothing_is_told_and_other_events_pass() -> None:
    told = Told({})
    assert told.after(5, "train", 1, 2) is None
    told.pace(Event("note", "hello"))
    assert told.events[-1] == Event("note", "hello")


def test_the_first_seconds_of_a_step_count_little_beside_its_forecast() -> None:
    told = Told({"convert": 100.0})
    told.after(0, "convert", 0, 100)
    assert told.after(1, "convert", 2, 100) == pytest.approx(0.1 * 49 + 0.9 * 98)
    assert told.after(9, "convert", 20, 100) == pytest.approx(40)


def test_a_told_time_follows_smoothly() -> None:
    told = Told({"train": 60.0, "apply": 30.0})
    told.after(0, "train", 0, 1)
    times = [90.0]
    for step in range(1, 121):  # four times as slow as forecast
        told.after(0.5, "train", step, 480, steps=True)
        times.append(told.told())
    assert max(after / before for before, after in itertools.pairwise(times)) < 1.2
    assert times[-1] == pytest.approx(180 + 4 * 30, rel=0.1) and told.told("rest") == pytest.approx(180, rel=0.1)


def test_a_group_that_is_faster_than_forecast_is_told_so_and_an_early_stop_is_not_fast() -> None:
    told = Told({"train": 100.0, "apply": 50.0})
    told.after(0, "train", 0, 1)
    told.after(2, "train", 2, 100, steps=True)
    told.after(28, "train", 30, 100, steps=True)  # as fast as forecast
    told.after(1, "train", 1, 1)
    assert told.after(0, "apply", 0, 10) == pytest.approx(50, rel=0.05)
    assert told.after(15, "apply", 5, 10) == pytest.approx(15)
    faster = Told(EXPECTED)
    faster.after(0, "train", 0, 10)
    faster.after(70, "train", 10, 10)
    assert faster.after(0, "apply", 0, 10) == pytest.approx(0.7 * 50 + 5)


def test_minutes_are_for_people() -> None:
    assert [minutes(s) for s in (10, 80, 3000, 8000)] == ["under a minute", "1 min", "50 min", "2.2 h"]


@pytest.mark.parametrize("name", RUNS)
def test_titles_of_steps_are_unique_since_progress_names_them(name: str) -> None:
    for variant in command(name).variants:
        titles = [step.title for step in pipeline(name, variant.name).steps.values()]
        assert len(set(titles)) == len(titles)
