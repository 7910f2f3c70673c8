"""scale: what the engine itself costs, a unit and in memory, when source, model and layer cost nothing (free.py).

```text
this process -- starts, and reads /proc of --> scheduler (a process)
                                               client    (a process: Plan, crew, window)
                                               workers   (a process each; with --simulated, many in each of two processes)
```
Every row has processes of its own, so that their peaks can be compared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from free import SIDE, patches_of, plan_of, waiting
from slides import table

from tile_engine.engine.workers.pool.pool import Where, crew

UNIT = SIDE * SIDE
HERE = Path(__file__).resolve()
WARM = 1000
"""Units before the clock runs: imports, and the logs that dask keeps of the last thousand tasks."""
SPREAD = 0.2
"""Simulated units last so much more or less than said: 500 that end at one moment would wait for each other."""
HOSTS = 2
"""Processes that hold the simulated workers."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patches", type=float, nargs="*", default=[1e6, 1e7], help="one row each, e.g. 1e6 1e8")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of one thread")
    parser.add_argument("--simulated", type=int, help="so many workers that only wait, instead")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="with --simulated: how long to keep all of them busy"
    )
    parser.add_argument("--unit", type=float, default=5.0, help="with --simulated: seconds that a unit takes")
    parser.add_argument("--json", action="store_true", help="print figures instead of a table")
    given = parser.parse_args()
    if given.simulated:
        units = round(given.simulated * given.seconds / given.unit)
        rows = [measure(units * UNIT, given.simulated, given.unit)]
    else:
        rows = [measure(round(patches), given.workers) for patches in given.patches]
    if given.json:
        print(json.dumps(rows))
    elif given.simulated:
        show_simulated(rows[0], given.simulated, given.unit)
    else:
        show(rows, given.workers)


def measure(patches: int, workers: int, seconds: float = 0.0) -> dict[str, float]:
    """One row: a client, a scheduler and workers of their own. With `seconds` the workers are simulated."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder) / "scheduler.json"
        dask = (sys.executable, "-m", "dask")
        scheduler = stack.enter_context(
            process(
                *dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file
            )
        )
        address = wait_for(file, scheduler)
        if seconds:
            hosted = [workers // HOSTS + (i < workers % HOSTS) for i in range(HOSTS)]
            crews = [stack.enter_context(process(sys.executable, HERE, "--host", address, n)) for n in hosted]
        else:
            words = (
                "--nthreads",
                "1",
                "--no-nanny",
                "--no-dashboard",
                "--memory-limit",
                "0",
                "--local-directory",
                folder,
            )
            crews = [stack.enter_context(process(*dask, "worker", address, *words)) for _ in range(workers)]
        command = map(str, (sys.executable, HERE, "--client", address, patches, workers, seconds))
        done = subprocess.run([*command], capture_output=True, text=True, env=environment(), check=False)
        if done.returncode:
            sys.exit(done.stderr)
        row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        row["scheduler_mib"] = peak(scheduler.pid)
        row["worker_mib"] = max(peak(c.pid) for c in crews)
        row["worker_cpu"] = sum(processor(c.pid) for c in crews)
    print(f"  {patches:,} patches: {row['seconds']:.1f} s", file=sys.stderr)
    return row


def client(address: str, patches: int, workers: int, seconds: float) -> None:
    """The client's process: the real plan through the real crew; prints one line of JSON."""
    from distributed import Client

    plan = plan_of(patches)
    plan.check(workers)
    with Client(address, set_as_default=False) as newcomer:
        newcomer.wait_for_workers(workers, timeout=1200)
    with crew(Where(scheduler_address=address)) as hands:
        list(hands.map(partial(patches_of, plan), plan_of(UNIT * WARM).units()))
        began, busy, done = time.perf_counter(), processor_of_both(hands.client), 0
        row: dict[str, float] = {}
        if seconds:
            spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
            for count, who, start, stop in hands.map(partial(waiting, seconds, SPREAD), plan.units()):
                done += count
                spans[who].append((start, stop))
            row = gaps(spans)
        else:
            for count in hands.map(partial(patches_of, plan), plan.units()):
                done += count
        row |= {"patches": done, "units": -(-patches // UNIT), "seconds": time.perf_counter() - began}
        row |= {"client_mib": peak(os.getpid())}
        after = processor_of_both(hands.client)
        row |= {"client_cpu": after[0] - busy[0], "scheduler_cpu": after[1] - busy[1]}
    if done != patches:
        sys.exit(f"{done:,} patches came back of {patches:,}")
    print(json.dumps(row))


def processor_of_both(client: Any) -> tuple[float, float]:
    """Processor seconds of client and scheduler so far."""
    return time.process_time(), client.run_on_scheduler(time.process_time)


def gaps(spans: dict[str, list[tuple[float, float]]]) -> dict[str, float]:
    """How long workers stood idle between two units, in seconds."""
    idle = [b[0] - a[1] for one in spans.values() for a, b in zip(sorted(one)[:-1], sorted(one)[1:], strict=True)]
    lasted = np.mean([stop - start for one in spans.values() for start, stop in one])
    return {
        "workers": len(spans),
        "lasted": float(lasted),
        "idle": float(np.mean(idle)),
        "idle_50": float(np.median(idle)),
        "idle_99": float(np.quantile(idle, 0.99)),
    }


async def host(address: str, count: int) -> None:
    """Many workers of one thread in one process, until it is told to end."""
    import dask
    from distributed import Worker

    # what a worker does every few milliseconds to watch itself would be done 500 times over in this process
    watches = {"tick.interval": "10s", "system-monitor.interval": "10s", "system-monitor.disk": False}
    dask.config.set({f"distributed.admin.{k}": v for k, v in watches.items()})
    workers = [Worker(address, nthreads=1, memory_limit=0, name=f"{os.getpid()}-{i}") for i in range(count)]
    for at in range(0, count, 25):  # not all at once: each connects
        await asyncio.gather(*workers[at : at + 25])
    await asyncio.gather(*(worker.finished() for worker in workers))


@contextmanager
def process(*command: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process of this measurement, ended with it."""
    child = subprocess.Popen([str(c) for c in command], stderr=subprocess.DEVNULL, env=environment())
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def environment() -> dict[str, str]:
    """For processes that import free.py; without dask's profiler, as in the clusters that tile-engine starts."""
    return os.environ | {"PYTHONPATH": str(HERE.parent), "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}


def wait_for(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    """The address in a scheduler's file, once it is there."""
    while scheduler.poll() is None:
        try:
            return str(json.loads(file.read_text())["address"])
        except (FileNotFoundError, json.JSONDecodeError):
            time.sleep(0.1)
    sys.exit(f"the scheduler ended with status {scheduler.returncode} before it had started")


def peak(pid: int) -> float:
    """The most memory a process ever had, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def processor(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(rows: list[dict[str, float]], workers: int) -> None:
    head = ("patches", "units", "seconds", "units/s", "us a patch", "scheduler ms/unit", "client ms/unit")
    table(
        f"free patches in units of {UNIT:,}, {workers} workers, load {os.getloadavg()[0]:.1f}",
        (*head, "scheduler MiB", "client MiB", "worker MiB"),
        [
            (
                f"{r['patches']:.0e}",
                f"{r['units']:,}",
                f"{r['seconds']:.1f}",
                f"{r['units'] / r['seconds']:.0f}",
                f"{r['seconds'] / r['patches'] * 1e6:.2f}",
                f"{r['scheduler_cpu'] / r['units'] * 1e3:.2f}",
                f"{r['client_cpu'] / r['units'] * 1e3:.2f}",
                f"{r['scheduler_mib']:.0f}",
                f"{r['client_mib']:.0f}",
                f"{r['worker_mib']:.0f}",
            )
            for r in rows
        ],
    )


def show_simulated(row: dict[str, float], workers: int, unit: float) -> None:
    rows = [
        ("units", f"{row['units']:,}"),
        ("seconds, first and last units included", f"{row['seconds']:.1f}"),
        ("seconds of work a worker", f"{row['units'] / workers * unit:.1f}"),
        ("a unit lasted, s", f"{row['lasted']:.4f}"),
        ("idle between two units, ms, mean", f"{row['idle'] * 1e3:.1f}"),
        ("idle between two units, ms, half below", f"{row['idle_50'] * 1e3:.1f}"),
        ("idle between two units, ms, 99 of 100 below", f"{row['idle_99'] * 1e3:.1f}"),
        ("overhead of a unit (goal < 1 %)", f"{row['idle'] / unit:.2%}"),
        ("scheduler, processor ms a unit", f"{row['scheduler_cpu'] / row['units'] * 1e3:.2f}"),
        ("client, processor ms a unit", f"{row['client_cpu'] / row['units'] * 1e3:.2f}"),
        ("simulated workers, processor ms a unit", f"{row['worker_cpu'] / row['units'] * 1e3:.2f}"),
        ("scheduler, peak MiB", f"{row['scheduler_mib']:.0f}"),
        ("client, peak MiB", f"{row['client_mib']:.0f}"),
    ]
    table(f"{workers} workers that wait {unit:g} s a unit, load {os.getloadavg()[0]:.1f}", ("", "measured"), rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        client(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
    elif sys.argv[1:2] == ["--host"]:
        asyncio.run(host(sys.argv[2], int(sys.argv[3])))
    else:
        main()
