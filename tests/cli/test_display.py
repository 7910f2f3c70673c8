"""Progress that goes to a file or a pipe: some lines a step, however many units it has and however long it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from tile_engine.cli import display
from tile_engine.cli.display import Display, watched
from tile_engine.cli.tell import print_json
from tile_engine.engine.pipeline.progress import Event


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(display, "time", clock)
    return clock


def test_a_step_of_a_day_has_no_more_lines_than_a_person_reads(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Display() as show:
        for done in range(100_001):
            show(Event("progress", "convert", "convert", done, 100_000))
            clock.now += 0.864
        show(Event("progress", "convert", "convert", 100_000, 100_000))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("convert: 0/100000") and lines[-1].startswith("convert: 100000/100000")
    assert 100 < len(lines) < 160  # one in ten minutes


def test_a_short_step_has_a_line_at_its_beginning_and_one_at_its_end(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Display() as show:
        for fold in range(10):
            show(Event("progress", "train", "train", fold, 10))
            for step in (50, 100):
                clock.now += 0.1
                show(Event("progress", "train", "train", step, 100, {"steps": True, "loss": 0.5}))
        show(Event("progress", "train", "train", 10, 10))
    assert [line.partition(",")[0] for line in capsys.readouterr().err.splitlines()] == ["train: 0/10", "train: 10/10"]


def test_steps_that_the_time_left_does_not_count_are_named(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Display() as show:
        show(Event("progress", "read films", "convert", 0, 4, {"left": 300.0, "without": ["train networks"]}))
        show(Event("progress", "train", "train", 0, 4, {"left": 300.0, "without": []}))
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("5 min left without: train networks") and second.endswith("5 min left in all")


def test_a_program_gets_a_line_of_json_when_it_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "pipe").open("w") as stdout:  # holds its lines back, as a pipe does
        monkeypatch.setattr("sys.stdout", stdout)
        print_json({"event": "serving"})
        assert (tmp_path / "pipe").read_text() == '{"event": "serving"}\n'


def test_what_an_interruption_left_is_said_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ((), ("stopped; nothing was left.",)):
        with pytest.raises(typer.Exit) as left, watched(*words, as_json=False, quiet=True):
            raise KeyboardInterrupt
        assert left.value.exit_code == 130
    assert [line[:22] for line in capsys.readouterr().err.splitlines()] == [
        "stopped; what was writ",
        "stopped; nothing was l",
    ]


def test_a_step_without_units_has_no_line_and_the_time_left_is_the_told_one(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Display() as show:
        show(Event("progress", "fine-tune", "train", 0, 0))
        show(Event("progress", "train", "train", 3, 100, {"steps": True, "rest": 130.0}))
    [line] = capsys.readouterr().err.splitlines()
    assert line == "train: 3/100 (step 3 of 100), 0:00, 2:10 left"
