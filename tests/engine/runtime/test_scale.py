"""A patch costs the same however many there are, and neither the scheduler's memory nor the client's grows with them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tile_engine.engine.tiling.plan import Plan
from tile_engine.engine.tiling.samplers import grid
from tile_engine.stores.frame import Box, Frame

pytestmark = pytest.mark.timeout(3000)
"""Long enough for a machine that does much else meanwhile; it takes one minute."""

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, float]]:
    """Free patches through the engine: scheduler, client and two workers in processes of their own, anew for each row."""
    command = [sys.executable, str(ROOT / "benchmarks" / "scale.py"), "--patches", "1e6", "1e7", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.nightly
def test_every_patch_is_done_once(rows: list[dict[str, float]]) -> None:
    assert [row["patches"] for row in rows] == [10**6, 10**7]
    assert [row["units"] for row in rows] == [245, 2442]


@pytest.mark.nightly
@pytest.mark.parametrize("process", ["scheduler", "client", "worker"])
def test_peak_memory_does_not_grow_with_the_number_of_units(rows: list[dict[str, float]], process: str) -> None:
    small, large = (row[f"{process}_mib"] for row in rows)
    assert 0 < large <= 1.1 * small


class Endless:
    """A source of 10^15 cells; a plan over it must look at the first unit alone."""

    frames = (Frame(("y", "x"), (2**25, 2**25), (1.0, 1.0)),)
    channels, dtype, background, tiles = 1, "uint8", 0, ()

    def read(self, box: Box, level: int = 0) -> None:
        raise AssertionError("a plan is checked before anything is read")


class Middle:
    stride, halo, readers, outputs = (1, 1), (1, 1), 1, {"middle": (1, "uint8")}

    def __call__(self, batches: Iterator[object]) -> Iterator[dict[str, object]]:
        raise AssertionError("a plan is checked before anything is done")


class Nowhere:
    frame, chunks = Endless.frames[0], (64, 64)

    def write(self, box: Box, values: object) -> list[object]:
        raise AssertionError("a plan is checked before anything is written")


def test_checking_a_plan_and_beginning_it_looks_at_one_unit_whatever_its_size() -> None:
    seen: list[Box] = []

    def tiles(box: Box) -> object:
        seen.append(box)
        return grid(box, (1, 1), (1, 1))

    plan = Plan(Endless(), tiles, Middle(), {"middle": Nowhere()}, (64, 64))  # type: ignore[arg-type]
    plan.check()
    assert set(seen) == {Box((0, 0), (64, 64))}
    assert [unit.start for unit in islice(plan.units(), 2)] == [(0, 0), (0, 64)]
