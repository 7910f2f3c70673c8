"""Measures of peers: a process and what it took, rounds in which the works take turns, cells of a table."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from peer_environments import UnavailableError, last_line

Facts = dict[str, float]
LIMIT = 3600
"""Seconds of one process, at most."""


@dataclass(frozen=True)
class Usage:
    """Of a process and the children that it waited for: seconds by both clocks, most memory (MiB) of any one of them."""

    wall: float
    processor: float
    peak: float


def measured(works: dict[str, Callable[[], Facts]], repeat: int) -> dict[str, Facts | str]:
    """Medians of each work, or the reason why it has none. Works take turns. What fails once is not tried again."""
    found: dict[str, list[Facts]] = {name: [] for name in works}
    reasons: dict[str, str] = {}
    for _ in range(repeat):
        for name, work in works.items():
            if name in reasons:
                continue
            try:
                found[name].append(work())
            except UnavailableError as error:
                if name.startswith("tile-engine"):
                    raise SystemExit(f"{name}: {error}") from error
                reasons[name] = str(error)
            print(f"  {name}: {reasons.get(name) or found[name][-1]}", file=sys.stderr)
    return {
        name: reasons.get(name) or {key: median(one[key] for one in values) for key in values[0]}
        for name, values in found.items()
    }


def line(found: dict[str, Facts | str], name: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Cells of a row: the name, then each fact with its ratio to that of the first work that has facts."""
    own, first = found[name], next((facts for facts in found.values() if not isinstance(facts, str)), {})
    if isinstance(own, str):
        return (name, f"not measured: {own}", *[""] * (2 * len(keys) - 1))
    return (name, *(cell for key in keys for cell in (number(own[key]), f"{own[key] / first[key]:.2f}")))


def cells(found: dict[str, Facts | str], name: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    own = found[name]
    if isinstance(own, str):
        return (f"not measured: {own}" if "wall" in keys else "", *[""] * (len(keys) - 1))
    return tuple(number(own[key]) for key in keys)


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def watched(command: list[str]) -> Usage:
    """Run a command. Raises `UnavailableError` with the last line that it said where it fails, or does not end."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        timer = threading.Timer(LIMIT, process.kill)
        timer.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:  # an interrupted measurement leaves nothing behind that runs on
            process.kill()
            raise
        finally:
            timer.cancel()
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    if wall >= LIMIT:
        raise UnavailableError(f"no end within {LIMIT} s")
    if process.returncode:
        raise UnavailableError(last_line(text) or f"ended with {process.returncode}")
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
