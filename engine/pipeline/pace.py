"""Pace: the time that a run has left, from a forecast of its steps, corrected by the steps that were measured."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from .progress import Event, Report

LEAST_SECONDS = 1.0
"""Measured seconds from which a step's pace counts for the steps behind it."""


TRUSTED_SECONDS = 10.0
"""Seconds of a step after which only its measured pace counts; before, the forecast has the rest of the weight."""
SMOOTH_SECONDS = 4.0
"""Seconds in which a told time follows a new one by two thirds: the first units of a step are no steady clock."""
MAX_GROWTH = 1.2
"""A told time grows by this factor in `SMOOTH_SECONDS` at most, or from one event to the next."""
EARLY_SHARE = 0.8
"""Share of a training below which its end is an early stop, not the end of its steps."""
LEAST_RATIO = 0.5
"""A group is taken to be so much faster than forecast at most."""
MAX_POINTS = 200


class Pace:
    """A report callback that adds to every event of progress the seconds that the run and its step have left: facts `left` and
    `rest`.

    `expected` maps titles of steps to seconds, `unknown` are titles of steps that may take long and have no forecast; both may
    be replaced as more becomes known, and without them nothing is added. An unknown step counts once some of it was done; the
    others are named: fact `without`. Steps of one group (`groups`: title -> its name) are as much slower or faster than
    forecast as those of it that were measured. Told times change smoothly, except where other steps count than before.
    """

    def __init__(
        self,
        report: Report,
        groups: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
        *,
        workers: int = 1,
    ) -> None:
        """`workers`: units that are done at once; of several in training, the progress of one is told."""
        self.expected: Mapping[str, float] = {}
        self.unknown: Collection[str] = ()
        self._report, self._groups, self._clock, self._workers = report, groups, clock, workers
        self._measured: dict[str, tuple[float, float]] = {}
        """Title -> (seconds, share of the step that they took)."""
        self._title, self._began = "", 0.0
        self._kept = 0.0
        """Share of the current step that was done before it began: by an earlier attempt, or beside the step before."""
        self._units = (0.0, 1.0)
        self._within: list[tuple[float, float]] = []
        """Of the first unit in training: (time, share of its training), at `MAX_POINTS` moments at most."""
        self._shown: dict[str, tuple[object, float, float]] = {}
        """Fact -> (what it counts, when it was told last, the seconds)."""

    def __call__(self, event: Event) -> None:
        if event.kind == "progress" and event.text in self._groups:
            self._see(event)
            facts: dict[str, object] = {}
            if (rest := self._rest()) is not None:
                facts["rest"] = self._smooth("rest", self._title, rest)
            if self.expected or self.unknown:
                without = self.without()
                facts |= {"left": self._smooth("left", tuple(without), self.left()), "without": without}
            event = replace(event, facts={**event.facts, **facts})
        self._report(event)

    def left(self) -> float:
        """Seconds until the last step is done."""
        titles = list(self._groups)
        begun = titles.index(self._title) if self._title else -1
        rest, ratio = self._rest(), self._ratios()
        waiting = sum(self.expected.get(title, 0.0) * ratio(title) for title in titles[begun + 1 :])
        if rest is None and self._title:
            seconds, share = self._measured[self._title]
            forecast = self.expected.get(self._title, 0.0) * ratio(self._title) * (1.0 - self._kept)
            rest = max(0.0, forecast - seconds, forecast * (1.0 - share))
        return waiting + (rest or 0.0)

    def _smooth(self, name: str, counted: object, seconds: float) -> float:
        """Seconds to tell, that follow the last ones told of this fact, where it counts the same."""
        now = self._clock()
        if seconds and self._shown.get(name, ("",))[0] == counted:
            _, moment, before = self._shown[name]
            before = max(0.0, before - (now - moment))
            most = before * MAX_GROWTH ** max(1.0, (now - moment) / SMOOTH_SECONDS) + 1.0
            seconds = min(most, before + (seconds - before) * -math.expm1((moment - now) / SMOOTH_SECONDS))
        self._shown[name] = (counted, now, seconds)
        return round(seconds, 1)

    def without(self) -> list[str]:
        """Titles of the steps that `left` does not count, as nobody can tell how long they take."""
        titles = list(self._groups)
        ahead = titles[titles.index(self._title) if self._title else 0 :]
        measured = {self._title} if self._rest() is not None else set()
        return [title for title in ahead if title in self.unknown and title not in measured]

    def _see(self, event: Event) -> None:
        """Measure the current step: units that are done, and the steps of training of the one that is not."""
        is_training = bool(event.facts.get("steps"))
        if event.text != self._title:
            self._title, self._began = event.text, self._clock()
            self._units, self._kept, self._within = (0.0, 1.0), 0.0, []
        if not is_training:
            before = float(str(event.facts.get("before", 0)))
            if event.done == before:  # what was waited for until now is not of its pace
                self._began = self._clock()
            self._units = (event.done, event.total)
            self._kept = before / event.total if event.total else 1.0
        within = event.done / event.total if is_training and event.total else 0.0
        within = float(event.facts.get("share", within)) if is_training else within
        if is_training:
            thin = 2 if len(self._within) >= MAX_POINTS else 1
            self._within = [*self._within[::thin], (self._clock(), within)]
        share = self._share(within)
        if share == 1.0 and self._units[1] == 1 and self._has_stopped_early():
            share = self._within[-1][1]
        self._measured[self._title] = (self._clock() - self._began, max(0.0, share - self._kept))

    def _has_stopped_early(self) -> bool:
        """Whether a training has ended long before the rest of its steps could be made."""
        if not self._within or self._within[-1][1] >= EARLY_SHARE:
            return False
        last, share = self._within[-1]
        return self._clock() - last < (last - self._began) * (1.0 - share) / max(share, 1e-6) / 2

    def _share(self, within: float) -> float:
        done, total = self._units
        return min(1.0, (done + within * self._at_once()) / total) if total else 1.0

    def _at_once(self) -> float:
        done, total = self._units
        return max(1.0, min(self._workers, total - done))

    def _rest(self) -> float | None:
        """Seconds that the current step still takes, by its own pace, and at first by its forecast; None where too little was
        measured."""
        rest = self._measured_rest()
        if rest is None or self._title not in self.expected:
            return rest
        seconds, share = self._measured[self._title]
        expected = self.expected[self._title]
        if (
            self._within and self._within[-1][1] >= 1.0 and self._units[1] == 1
        ):  # no pace tells what comes behind its steps
            return max(rest, expected - seconds)
        forecast = expected * max(0.0, 1.0 - self._kept - share)
        trust = min(1.0, seconds / TRUSTED_SECONDS)
        return trust * rest + (1.0 - trust) * forecast

    def _measured_rest(self) -> float | None:
        """Seconds that the current step still takes, by its own pace; None where too little was measured."""
        if not self._title:
            return None
        (seconds, share), (done, total) = self._measured[self._title], self._units
        if done >= total:
            return 0.0
        rest = max(0.0, 1.0 - self._kept - share)
        if (
            not self._within or done / max(1.0, total) > self._kept
        ):  # whole units tell best, with what is beside their training
            return seconds * rest / share if share > 0 else None
        last, after = self._within[-1]
        first, before = next((p for p in reversed(self._within) if p[1] <= after / 2), self._within[0])  # warm by then
        if after <= before:
            return None
        training = (last - first) / (after - before)
        beside = max(0.0, self._within[0][0] - self._began - self._within[0][1] * training)
        further = -(-(total - done - self._at_once()) // self._at_once())
        return (1.0 - after) * training + max(0.0, further) * (training + beside)

    def _ratios(self) -> Callable[[str], float]:
        """Title -> how many times longer than forecast its group takes; 1 where none of it was measured."""
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for title, (seconds, share) in self._measured.items():
            if title == self._title and self._within:  # its beginning is slower than the rest
                rest = self._measured_rest()
                seconds, share = (0.0, 0.0) if rest is None else (seconds + rest, 1.0 - self._kept)
            forecast = self.expected.get(title, 0.0) * share
            if seconds >= LEAST_SECONDS and forecast > 0:
                sums[self._groups[title]][0] += seconds
                sums[self._groups[title]][1] += forecast

        def ratio(title: str) -> float:
            seconds, forecast = sums.get(self._groups[title], (1.0, 1.0))
            return max(LEAST_RATIO, seconds / forecast)

        return ratio


def minutes(seconds: float) -> str:
    """A time for people, as coarse as it is known.

    >>> minutes(20), minutes(400), minutes(9000)
    ('under a minute', '7 min', '2.5 h')
    """
    if seconds < 45:
        return "under a minute"
    return f"{max(1, round(seconds / 60))} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
