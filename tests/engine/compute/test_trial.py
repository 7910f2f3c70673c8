"""A trial of a training's steps: made once for a network, and never told by its first call alone."""

from __future__ import annotations

import pytest

from tile_engine.engine.compute import trial


class Clock:
    """Steps that take these seconds, one after the other."""

    def __init__(self, *seconds: float) -> None:
        self.now, self.left, self.made = 0.0, list(seconds), 0

    def perf_counter(self) -> float:
        return self.now

    def step(self, index: int) -> None:
        self.now += self.left.pop(0)
        self.made += 1


@pytest.mark.parametrize(
    ("seconds", "told", "made"),
    [((1.5, 0.1), 0.1, 2), ((3.0, 0.1), 3.0, 1), ((0.2, 0.1, 0.1, 0.15, 0.1), 0.1, 4)],
    ids=["a slow first one is made again", "but not a long one", "short ones until half a second"],
)
def test_the_shortest_of_some_steps_is_told(
    monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, ...], told: float, made: int
) -> None:
    clock = Clock(*seconds)
    monkeypatch.setattr(trial, "time", clock)
    monkeypatch.setattr(trial, "_steps", {})
    assert trial.step_seconds("key", lambda: clock, 1) == pytest.approx(told)
    assert trial.step_seconds("key", lambda: clock, 1) == pytest.approx(told) and clock.made == made
