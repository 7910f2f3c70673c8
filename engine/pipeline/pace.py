"""Pace: the time that a run has left, from a forecast of its steps, corrected by the steps that were measured."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from .progress import Event, Report

LEAST_SECONDS = 1.0
"""Measured seconds from which a step's pace counts for the steps behind it."""


class Pace:
    """A report callback that adds to every event of progress the seconds that the whole run has left: fact `left`.

    `expected` maps titles of steps to seconds, `unknown` are titles of steps that may take long and have no forecast; both may
    be replaced as more becomes known, and without them nothing is added. An unknown step counts once some of it was done; the
    others are named: fact `without`. Steps of one group (`groups`: title -> its name) are as much slower than forecast as those
    of it that were measured; none is taken to be faster.
    """

    def __init__(self, report: Report, groups: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self.expected: Mapping[str, float] = {}
        self.unknown: Collection[str] = ()
        self._report, self._groups, self._clock = report, groups, clock
        self._measured: dict[str, tuple[float, float]] = {}
        """Title -> (seconds, share of the step that they took)."""
        self._title, self._began = "", 0.0
        self._kept = 0.0
        """Share of the current step that an earlier attempt had done."""
        self._units = (0.0, 1.0)

    def __call__(self, event: Event) -> None:
        if event.kind == "progress" and event.text in self._groups:
            self._see(event)
            if self.expected or self.unknown:
                facts = {"left": round(self.left(), 1), "without": self.without()}
                event = replace(event, facts={**event.facts, **facts})
        self._report(event)

    def left(self) -> float:
        """Seconds until the last step is done."""
        ratios = self._ratios()
        titles = list(self._groups)
        begun = titles.index(self._title) if self._title else -1
        waiting = sum(self.expected.get(title, 0.0) * ratios(title) for title in titles[begun + 1 :])
        if not self._title:
            return waiting
        seconds, share = self._measured[self._title]
        rest = 1.0 - self._kept - share
        if share > 0:
            return waiting + seconds * rest / share
        return waiting + max(0.0, self.expected.get(self._title, 0.0) * ratios(self._title) * rest - seconds)

    def without(self) -> list[str]:
        """Titles of the steps that `left` does not count, as nobody can tell how long they take."""
        titles = list(self._groups)
        ahead = titles[titles.index(self._title) if self._title else 0 :]
        measured = {self._title} if self._title and self._measured[self._title][1] > 0 else set()
        return [title for title in ahead if title in self.unknown and title not in measured]

    def _see(self, event: Event) -> None:
        """Measure the current step: units that are done, and the steps of training of the one that is not."""
        is_training = bool(event.facts.get("steps"))
        if event.text != self._title:
            self._title, self._began = event.text, self._clock()
            self._units, self._kept = (0.0, 1.0), 0.0
        if not is_training:
            self._units = (event.done, event.total)
            self._kept = float(str(event.facts.get("kept", 0))) / event.total if event.total else 1.0
        within = event.done / event.total if is_training and event.total else 0.0
        self._measured[self._title] = (self._clock() - self._began, max(0.0, self._share(within) - self._kept))

    def _share(self, within: float) -> float:
        done, total = self._units
        return min(1.0, (done + within) / total) if total else 1.0

    def _ratios(self) -> Callable[[str], float]:
        """Title -> how many times longer than forecast its group takes; 1 where none of it was measured."""
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for title, (seconds, share) in self._measured.items():
            forecast = self.expected.get(title, 0.0) * share
            if seconds >= LEAST_SECONDS and forecast > 0:
                sums[self._groups[title]][0] += seconds
                sums[self._groups[title]][1] += forecast

        def ratio(title: str) -> float:
            seconds, forecast = sums.get(self._groups[title], (1.0, 1.0))
            return max(1.0, seconds / forecast)  # a forecast that was too long once is no promise of more

        return ratio


def minutes(seconds: float) -> str:
    """A time for people, as coarse as it is known.

    >>> minutes(20), minutes(400), minutes(9000)
    ('under a minute', '7 min', '2.5 h')
    """
    if seconds < 45:
        return "under a minute"
    return f"{max(1, round(seconds / 60))} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
