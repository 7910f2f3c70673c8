"""A command that starts warm is what it is when it starts cold: a process of its own, with nothing computed in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import warm

PROGRAM = """
import json, os, signal, sys
import numpy, scipy.linalg, threadpoolctl, torch, tile_engine.engine

streams = sys.stdin, sys.stdout, sys.stderr
pools = {info["internal_api"]: info["num_threads"] for info in threadpoolctl.threadpool_info()}
print(json.dumps({
    "threads": [torch.get_num_threads(), torch.get_num_interop_threads(), pools["openblas"], pools["openmp"]],
    "path": sys.path, "argv": sys.argv, "cwd": os.getcwd(), "files": len(os.listdir("/proc/self/fd")),
    "environment": {k: v for k, v in os.environ.items() if k not in %r},
    "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD)],
    "streams": [[s.name, s.encoding, s.errors, s.line_buffering, s.write_through] for s in streams],
}))
print("to stderr", file=sys.stderr)
raise SystemExit(sys.argv[1] == "seven" and 7)
"""
SET_BY_LIBRARIES = ("KMP_INIT_AT_FORK", "KMP_DUPLICATE_LIB_OK", "LD_LIBRARY_PATH", "QT_QPA_FONTDIR", "GOMP_SPINCOUNT")
CACHES = """
import sys
found = [
    value for name, module in list(sys.modules.items()) if name.startswith("tile_engine.")
    for value in vars(module).values() if hasattr(value, "cache_info")
]
assert len(found) > 10, "the server has imported too little"
print(sum(value.cache_info().currsize for value in found))
"""


def started(command: list[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)


@pytest.fixture
def python(warm_commands: warm.Server) -> Path:
    return warm_commands.shims() / "warm-python"


def test_a_program_finds_the_world_as_if_it_had_started_cold(python: Path, tmp_path: Path) -> None:
    program = PROGRAM % (SET_BY_LIBRARIES,)
    environment = {**os.environ, "SOMETHING": "else"}
    cold, ours = (
        started([start, "-c", program, "seven"], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL)
        for start in (sys.executable, python)
    )
    assert cold.returncode == ours.returncode == 7, cold.stderr + ours.stderr
    assert json.loads(ours.stdout) == json.loads(cold.stdout)
    assert ours.stderr == cold.stderr == "to stderr\n"


def test_what_nobody_has_seeded_differs_from_process_to_process(python: Path) -> None:
    program = "import numpy, random, torch; print(random.random(), numpy.random.random(), torch.initial_seed())"
    one, other = (started([python, "-c", program]).stdout.split() for _ in range(2))
    assert len({*one, *other}) == 6


def test_the_server_has_computed_nothing(python: Path) -> None:
    assert started([python, "-c", CACHES]).stdout == "0\n"


def test_commands_start_warm_unless_their_environment_says_otherwise() -> None:
    command = [sys.executable, "-m", "tile_engine.cli", "--version"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as ours:
        assert ours._connection is not None and ours.communicate()[0].startswith(b"tile-engine ")  # type: ignore[attr-defined]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONHASHSEED": "6640"}) as ours:
        assert ours._connection is not None  # type: ignore[attr-defined] - dask leaves that variable behind
    for change in ({"PYTHONPATH": "elsewhere"}, {warm.COLD: "1"}):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **change}) as cold:
            assert cold._connection is None  # type: ignore[attr-defined]


def test_a_signal_ends_it_and_its_status_says_so(python: Path, tmp_path: Path) -> None:
    """The one that is started stands for the command on PATH, and its end is the command's."""
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    for number in (signal.SIGTERM, signal.SIGKILL):
        with subprocess.Popen([python, "-c", program], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            pid = int(process.stdout.readline())
            process.send_signal(number)
            assert process.wait(60) == -number
        limit = time.monotonic() + 60
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < limit, "the command outlived who asked for it"
            time.sleep(0.01)


def test_its_parent_is_the_process_that_started_it(python: Path) -> None:
    with subprocess.Popen(
        [python, "-c", "import os; print(os.getppid())"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.communicate()[0] == f"{process.pid}\n", "of the one that stands for it on PATH"


def test_an_error_that_nobody_caught_is_a_traceback_and_status_one(python: Path) -> None:
    done = started([python, "-c", "raise ValueError('so')"])
    assert done.returncode == 1 and done.stderr.startswith("Traceback") and done.stderr.endswith("ValueError: so\n")
