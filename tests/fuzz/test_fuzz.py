"""Some tries of the fuzzer find nothing; and what it looks for, it would find."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from .kinds import READS
from .mutate import mutated

TRIES = 15
"""Of each kind: some 20 s on a quiet machine."""
MOST_SECONDS = 900
TESTS = Path(__file__).parents[1]
PROBE = """
    import os, signal, time
    from functools import partial
    from fuzz import trial
    from tile_engine.errors import SlideError
    from tile_engine.stores.foreign import foreign
    from tile_engine.stores.slides.reader import _unforeseen as of_slides
    from tile_engine.stores.volumes.reader import _unforeseen as of_volumes

    def ours(): raise SlideError("a.tif: is cut short", "E_TRUNCATED")
    def unwritable(): raise SlideError("a\\ud800.tif", "E_TRUNCATED")
    def escape(): {}["axes"]
    def caught(border):
        with foreign(partial(border, "a.tif")): escape()
    def crash(): os.kill(os.getpid(), signal.SIGSEGV)
    def hang():
        while True: pass
    def memory(): return str(len(bytearray(2**40)))
    def touched(): return str(len(bytearray(b"x") * trial.MAX_TOUCHED_BYTES))
    def whole(): return ""

    trial.CPU_SECONDS = 0
    trial.MAX_TOUCHED_BYTES = 2**29
    one_lost = lambda: "E_BAD_TILE: x"
    for one in trial.outcomes([whole, one_lost, ours, unwritable, escape, crash, hang, memory, whole, touched, whole,
                               partial(caught, of_slides), partial(caught, of_volumes)]):
        print(one.kind, one.text.splitlines()[-1] if one.text else "")
"""


def python(*words: str, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
    """A process of its own: what forks must not have the threads of pytest."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env=environment,
        cwd=TESTS,
    )


def test_tries_of_every_kind_find_nothing(mini: Any) -> None:
    limits = ["--seconds", str(MOST_SECONDS), "--tries", str(TRIES)]
    done = python("-m", "fuzz", *limits, "--run", str(mini.out), seconds=MOST_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()[-len(READS) - 1 :]
    counts = {line[:14].strip(): [int(word) for word in line[14:].split()[:3]] for line in lines}
    _, ok, errors = counts.pop("all")
    assert counts.keys() == READS.keys() and {tries for tries, _, _ in counts.values()} == {TRIES}, done.stdout
    assert ok > 0 and errors > 0  # some mutated files can still be read


def test_every_outcome_is_told_from_the_others() -> None:
    done = python("-c", textwrap.dedent(PROBE))
    lines = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert [kind for kind, _ in lines] == [
        "ok", "error", "error", "error", "escape", "crash", "hang", "memory", "ok", "memory", "ok",
        "caught", "caught",
    ], done.stdout + done.stderr  # fmt: skip
    assert lines[2][1] == "E_TRUNCATED: a.tif: is cut short" and "KeyError" in lines[4][1] and lines[5][1] == "SIGSEGV"
    assert lines[3][1] == "E_TRUNCATED: a\\ud800.tif"


@pytest.mark.parametrize(
    "data", [b"", b"x", bytes(range(256)), b'{"a": [1, 2.5, {"b": null}]}', b"a,b\n1,2\n", b"\x1f\x8b\x08"]
)
@pytest.mark.parametrize("text", [False, True])
def test_mutations_depend_on_the_seed_alone_and_change_files(data: bytes, text: bool) -> None:
    first = [mutated(data, random.Random(seed), text=text) for seed in range(50)]
    assert first == [mutated(data, random.Random(seed), text=text) for seed in range(50)]
    assert len(set(first)) > 10 and data not in first[:1] * (len(data) > 1)
