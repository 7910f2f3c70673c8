"""Tests of a group run in one process, where several share the tests: some releases of pytest ignore that without a word."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

TESTS = """
import os, pytest

@pytest.mark.parametrize("n", range(6))
@pytest.mark.parametrize("group", [pytest.param(g, marks=pytest.mark.xdist_group(g)) for g in ("a", "b")])
def test_it(group, n):
    with open("seen", "a") as file:
        print(group, os.environ["PYTEST_XDIST_WORKER"], file=file)
"""


def test_a_group_stays_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert "12 passed" in done.stdout, done.stdout + done.stderr
    processes = defaultdict(set)
    for line in (tmp_path / "seen").read_text().splitlines():
        group, process = line.split()
        processes[group].add(process)
    assert len(processes["a"]) == len(processes["b"]) == 1 and processes["a"] != processes["b"]
