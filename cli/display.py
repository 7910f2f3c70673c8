"""Display: shows a run's events as progress bars in a terminal, plain lines in log files, or JSON lines for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer

from .say import say

if TYPE_CHECKING:
    from ..engine.pipeline.progress import Event

PROGRESS_SECONDS, MAX_PROGRESS_SECONDS = 5.0, 600.0
"""Seconds from the first plain progress line of a step to the second. From line to line they double, up to a most: a log of a
run of a day is one that a person reads."""


STOPPED = "stopped; what was written is safe: run the same command again to resume."
"""What is said of an interrupted command that goes on where it was."""


@contextmanager
def watched(stopped: str = STOPPED, *, as_json: bool, quiet: bool) -> Iterator[Display]:
    """A display for a run's events. Handles interrupts, as typer would exit with 130 for all of them, and says `stopped`."""
    from ..engine.runtime.signals import ended_by_sigterm

    with Display(as_json=as_json, quiet=quiet) as show, ended_by_sigterm():
        try:
            yield show
        except KeyboardInterrupt as error:
            print(stopped, file=sys.stderr)
            raise typer.Exit(143 if type(error).__name__ == "Terminated" else 130) from error


class Display:
    """Shows events: use `with Display(...) as show:` and pass `show` to a run as its `report`."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json, self.quiet = as_json, quiet
        self._bar: Any = None
        self._task: Any = None
        self._title = ""
        self._began = self._said = 0.0
        self._pause = PROGRESS_SECONDS

    def __enter__(self) -> Display:
        if sys.stderr.isatty() and not self.as_json and not self.quiet:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description:<20}"),
                BarColumn(),
                TextColumn("{task.fields[detail]}"),
                TextColumn("{task.fields[rest]}"),
                TextColumn("{task.fields[whole]}"),
                console=Console(stderr=True),
            )
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: Event) -> None:
        if self.as_json:
            record = {
                "event": event.kind,
                "text": event.text,
                "stage": event.stage,
                "done": event.done,
                "total": event.total,
            }
            sys.stdout.write(json.dumps({k: v for k, v in record.items() if v != ""} | {"facts": event.facts}) + "\n")
            sys.stdout.flush()
        elif event.kind == "progress":
            self._progress(event)
        elif event.kind == "start":
            say(f"results: {event.text}")
        elif event.kind in ("rejected", "warning"):
            code = f" [{event.facts['code']}]" if "code" in event.facts else ""
            self._line(f"{event.kind}{code}: {event.text}")
        elif event.kind == "note" and not self.quiet:
            self._line(event.text)

    def _line(self, text: str) -> None:
        if self._bar is not None:
            from ..stores.shown import shown

            self._bar.console.print(shown(text), markup=False, highlight=False)
        else:
            say(text, error=True)

    def _progress(self, event: Event) -> None:
        if not event.total:  # a step without units
            return
        now = time.monotonic()
        if event.text != self._title:
            self._title, self._began, self._said = event.text, now, 0.0
            self._pause = PROGRESS_SECONDS
            if self._bar is not None:
                if self._task is not None:
                    self._bar.update(self._task, visible=False)
                self._task = self._bar.add_task(event.text, total=event.total, detail="", rest="", whole="")
        if self._bar is not None:
            rest = f"{_clock(event.facts['rest'])} left" if event.facts.get("rest") else ""
            fields = {"detail": _detail(event), "rest": rest, "whole": _whole(event).lstrip(", ")}
            self._bar.update(self._task, completed=event.done, total=event.total, **fields)
        ended = event.done >= event.total and not event.facts.get("steps")  # a training's end is not its step's
        if self.quiet or not (ended or not self._said or now - self._said >= self._pause):
            return
        if ended and self._said < 0:
            return
        if self._said:
            self._pause = min(2 * self._pause, MAX_PROGRESS_SECONDS)
        self._said = -1.0 if ended else now
        elapsed = now - self._began
        if self._bar is not None:
            if ended:
                self._bar.console.print(
                    f"{event.text:<20} {_detail(event)}  {_clock(elapsed)}", markup=False, highlight=False
                )
            return
        remaining = f", {_clock(event.facts['rest'])} left" if event.facts.get("rest") and not ended else ""
        time_left = f"{_clock(elapsed)}{remaining}{_whole(event)}"
        self._line(f"{event.text}: {event.done:g}/{event.total:g}{_joined(_detail(event))}, {time_left}")


def _whole(event: Event) -> str:
    """The time that the run has left, if it is known."""
    from ..engine.pipeline.listing import first_of
    from ..engine.pipeline.pace import minutes

    if not event.facts.get("left"):
        return ""
    unknown = event.facts.get("without")
    if unknown:
        return f", {minutes(event.facts['left'])} left without: {first_of(unknown, 3)}"
    return f", {minutes(event.facts['left'])} left in all"


def _detail(event: Event) -> str:
    facts = event.facts
    if facts.get("steps"):
        loss = f", loss {facts['loss']:.4f}" if "loss" in facts else ""
        return f"step {event.done:g} of {event.total:g}{loss}"
    parts = [f"{facts['slides']} {facts.get('images', 'slides')}"] if facts.get("slides") else []
    if facts.get("amount") and facts.get("seconds"):
        rate = facts["amount"] / max(facts["seconds"], 1e-6)
        if event.stage == "convert" or (
            rate >= 1e6 and facts.get("images") == "volumes"
        ):  # cells, else patches or tiles
            parts.append(f"{rate / 1e6:.1f} M{'vox' if facts.get('images') == 'volumes' else 'Pix'}/s")
        elif event.stage in ("sample", "apply"):
            parts.append(f"{rate:,.0f} patches/s")
    return ", ".join(parts)


def _joined(detail: str) -> str:
    return f" ({detail})" if detail else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
