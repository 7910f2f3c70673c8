"""Budgets of speed: processor time of the hot paths beside what their codecs alone take, in the same run.

The bounds are half of what was measured: a machine may be slower, or do other work, and nobody halves the speed unseen.
"""

from __future__ import annotations

import importlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.api.commands import cluster
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.engine.steps.convert.pixels import pixel_units, write_pixels
from tile_engine.engine.workers.placement import ClusterOptions
from tile_engine.stores.slides.reader import open_slide

SIDE = 2048
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The slide of the measurements, small; and the module of a measurement by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        slides = importlib.import_module("slides")
        patch.setattr(slides, "CACHE", tmp_path_factory.mktemp("slide"))
        yield slides.slide(SIDE), importlib.import_module


def least(work: Callable[[], Any], rounds: int = 7) -> float:
    """Processor seconds of the round that was disturbed least."""
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


def test_convert_takes_few_times_what_its_codecs_take(slide: Any, tmp_path: Path) -> None:
    path, module = slide
    rates = module("convert")
    decode, encode = (
        max(rate() for _ in range(7))
        for rate in (
            lambda: rates.decode_rate(path, time.process_time),
            lambda: rates.encode_rate(path, "lz4", time.process_time),
        )
    )
    options = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",))
    out = cluster(path, tmp_path / "out", options=options, codec="lz4").out
    job = load(out)
    (unit,) = pixel_units(job, "pixels")
    ratio = SIDE**2 / 1e6 * (1 / decode + 1.33 / encode) / least(lambda: write_pixels(job, unit))
    assert ratio > 0.3, f"{ratio:.2f} of the limit; 0.65 was measured"


def test_patches_are_read_in_few_times_what_decoding_takes(slide: Any) -> None:
    path, module = slide
    sample = module("sample")
    places = np.random.default_rng(0).integers(0, SIDE - sample.SIDE, (400, 2))
    with open_slide(path) as source:
        most = max(sample.limit(source, places)[1] for _ in range(7))
        ratio = max(sample.timed(source, places)[1] for _ in range(7)) / most
    assert ratio > 0.3, f"{ratio:.2f} of the limit; 0.7 was measured"


def test_help_is_shown_at_once() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "tile_engine.cli", "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds < 0.7, f"{seconds:.2f} s of processor time; 0.25 was measured"
