"""workers: convert and apply by one worker on one core, and by two on two; the same cohort, whole commands.

command   wall time of `tile-engine convert` or `apply` with `--cluster local`, from start to end
steps     wall time of its steps as run.json has it: without the start of Python, scheduler and workers
busy      processor seconds of the command and its workers: other work on the machine hardly touches these; what two workers
          need more than one is what cannot be won
units     seconds of its units, added up from their receipts
machine   the same decoding in one process on one core, and in two at once on two: what the machine itself gives
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from statistics import median

from slides import BIG, CACHE, SMALL, arguments, cores, slide, table

STEPS = {"convert": ("pixels", "pyramid"), "apply": ("tiles", "order_clusters", "labels")}

PR_SET_CHILD_SUBREAPER = 36
"""Of Linux's prctl."""
GOALS = {"convert": "1.8", "apply": "1.6"}


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--only", choices=STEPS, help="this stage alone; without apply nothing is trained")
    parser.add_argument("--slides", type=int, help="this many slides of one size, from two files under several names")
    given = parser.parse_args()
    adopt()
    stages = [given.only] if given.only else list(STEPS)
    sides: tuple[int, ...] = (SMALL,) * 4 if given.quick else (BIG, BIG, SMALL, SMALL)
    if given.slides:
        sides = (SMALL if given.quick else BIG,) * given.slides
    cohort = linked(sides)
    scratch = given.scratch / f"workers-{os.getpid()}"
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    try:
        trained = train(cohort, scratch / "trained") if "apply" in stages else scratch
        for _ in range(given.repeat):
            for count in (1, 2):
                found.setdefault(("machine", count), []).append({"command": decode(slide(SMALL), count)})
                for stage in stages:
                    row = command(stage, count, cohort=cohort, trained=trained, out=scratch / "out")
                    found.setdefault((stage, count), []).append(row)
                    print(f"  {stage}, {count}: {row['command']:.1f} s, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(cohort, ignore_errors=True)
    show(found, sides, stages)


def linked(sides: Iterable[int]) -> Path:
    """A folder with a slide of each size; of several slides of one size every other one is the same under another name."""
    folder = CACHE / f"cohort-{os.getpid()}"
    folder.mkdir(parents=True)
    seen: dict[int, int] = {}
    for side in sides:
        number = seen[side] = seen.get(side, -1) + 1
        path = slide(side, seed=number % 2)
        os.link(path, folder / f"{number}-{path.name}")
    return folder


def train(cohort: Path, out: Path) -> Path:
    """A run of the cohort up to `apply`, its network of the usual shape and hardly trained."""
    quiet("convert", cohort, "--out", out, "--codec", "lz4", "--cluster", "none")
    quiet("sample", out, "--samples", 1000, "--cluster", "none")
    quiet("train", out, "--k", 8, "--seeds", 1, "--effort", 0.01, "--cluster", "none")
    return out


def command(stage: str, count: int, *, cohort: Path, trained: Path, out: Path) -> dict[str, float]:
    """One command on `count` workers and as many cores."""
    if stage == "apply":
        shutil.copytree(trained, out, copy_function=os.link)  # files are only ever replaced, never written into
        target: tuple[str | Path, ...] = (out,)
    else:
        target = (cohort, "--out", out, "--codec", "lz4")
    before = steps(out, stage)
    began, busy = time.perf_counter(), children()
    quiet(stage, *target, "--cluster", "local", "--workers", count, on=range(count))
    row = {"command": time.perf_counter() - began, "steps": steps(out, stage) - before}
    row |= {"busy": children() - busy, "units": units(out, stage)}
    shutil.rmtree(out)
    return row


def quiet(*words: str | int | Path, on: Iterable[int] = ()) -> None:
    """A command of tile-engine, on these cores if any are named."""
    cores = set(on)
    line = [sys.executable, "-m", "tile_engine.cli", *map(str, words), "--quiet"]
    bind = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    done = subprocess.run(line, capture_output=True, text=True, check=False, preexec_fn=bind)
    if done.returncode:
        sys.exit(f"{' '.join(line)}: {done.stderr[-2000:]}")


def adopt() -> None:
    """Let what a command leaves behind, as the process that its workers were forked from, become a child of this process: only
    children count in `children`."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def children() -> float:
    """Processor seconds of the commands so far, their workers included."""
    with suppress(ChildProcessError):
        while True:  # those that were adopted end with their command
            os.waitpid(-1, 0)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def steps(out: Path, stage: str) -> float:
    try:
        told = json.loads((out / "run.json").read_text())["steps"]
    except FileNotFoundError:
        return 0.0
    return sum(told[step]["wall"] for step in STEPS[stage] if step in told)


def units(out: Path, stage: str) -> float:
    """Seconds of all units; parts that go on at once in a unit are counted each."""
    paths = [path for step in STEPS[stage] for path in (out / "receipts" / step).rglob("*.json")]
    return sum(sum(json.loads(path.read_text())["seconds"].values()) for path in paths)


def decode(path: Path, count: int) -> float:
    """Wall seconds of `count` x the decoding of a slide, each in a process and on a core of its own, divided by `count`."""
    code = (
        "import sys, time, os; os.sched_setaffinity(0, {int(sys.argv[2])})\n"
        "from tile_engine.stores.slides.reader import open_slide; from pathlib import Path\n"
        "s = open_slide(Path(sys.argv[1])); box = s.frames[0].box; s.read(box); t = time.perf_counter()\n"
        "for _ in range(3): s.read(box)\n"
        "print(time.perf_counter() - t)"
    )
    line = (sys.executable, "-c", code, str(path))
    children = [subprocess.Popen([*line, str(i)], stdout=subprocess.PIPE, text=True) for i in range(count)]
    return max(float(child.communicate()[0]) for child in children) / count


def show(found: dict[tuple[str, int], list[dict[str, float]]], sides: tuple[int, ...], stages: Iterable[str]) -> None:
    rows = []
    for stage in ("machine", *stages):
        for part in found[stage, 1][0]:
            one, two = (median(row[part] for row in found[stage, count]) for count in (1, 2))
            ratios = [a[part] / b[part] for a, b in zip(found[stage, 1], found[stage, 2], strict=True)]
            goal = GOALS[stage] if part in ("command", "steps") and stage != "machine" else ""
            rows.append((f"{stage}, {part}", f"{one:.1f}", f"{two:.1f}", f"{median(ratios):.2f}", goal))
    title = f"slides of {', '.join(map(str, sides))} pixels a side, load {os.getloadavg()[0]:.1f}"
    head = ("seconds", "1 worker, 1 core", "2 workers, 2 cores", "speed-up", "goal")
    table(f"workers, {title}, medians of {len(found['machine', 1])}", head, rows)
    print(f"\n{cores()} cores are there; rounds take turns, and the speed-up is the median of the rounds' own.")


if __name__ == "__main__":
    main()
