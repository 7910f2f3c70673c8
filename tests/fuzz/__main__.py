"""Runs the fuzzer: `python -m fuzz --seconds 3600`; counts of each kind, and every finding with how it is done again."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .kinds import READS, Finding, Seed, finished_run, tried, written
from .trial import FINDINGS, OUTCOMES, preload

BATCH = 20
"""Tries of one child."""


def tries(seeds: dict[str, list[Seed]], seconds: float, first: int = 0, most: int = 10**9) -> Iterator[Finding]:
    """Tries of all kinds in turn, for so many seconds or so many of each kind."""
    preload()
    ends = time.monotonic() + seconds
    for number in range(first, first + most, BATCH):
        for one in seeds.values():
            if time.monotonic() > ends:
                return
            yield from tried(one, range(number, min(number + BATCH, first + most)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--kind", action="append", choices=list(READS), help="one or several kinds; all by default")
    parser.add_argument("--seed", type=int, default=0, help="number of the first try")
    parser.add_argument("--tries", type=int, default=10**9, help="of each kind")
    parser.add_argument("--run", type=Path, help="folder of a finished run to mutate; one is made by default")
    given = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory(prefix="tile-engine-fuzz-") as folder:
        run = (
            given.run if given.run or (given.kind and "run" not in given.kind) else finished_run(Path(folder) / "made")
        )
        seeds = written(Path(folder) / "seeds", run)
        seeds = {kind: one for kind, one in seeds.items() if not given.kind or kind in given.kind}
        counts: dict[str, Counter[str]] = {kind: Counter() for kind in seeds}
        slowest: dict[str, float] = dict.fromkeys(seeds, 0.0)
        for one in tries(seeds, given.seconds, given.seed, given.tries):
            counts[one.kind][one.outcome.kind] += 1
            slowest[one.kind] = max(slowest[one.kind], one.outcome.seconds)
            if one.outcome.kind in (*FINDINGS, "caught"):
                print(one.text(), flush=True)
    names = (*OUTCOMES, *FINDINGS)
    print(f"{'kind':14}{'tries':>8}" + "".join(f"{name:>8}" for name in names) + f"{'slowest':>10}")
    for kind, count in counts.items():
        print(f"{kind:14}{count.total():8}" + "".join(f"{count[name]:8}" for name in names) + f"{slowest[kind]:8.1f} s")
    total = sum(counts.values(), Counter())
    print(f"{'all':14}{total.total():8}" + "".join(f"{total[name]:8}" for name in names))
    return 1 if any(total[name] for name in FINDINGS) else 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
    os._exit(1)
