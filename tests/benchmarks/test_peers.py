"""The comparison with peers: a peer that cannot be had stays in its table with the reason, and works take turns."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Modules of `benchmarks/`, by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def imported(name: str) -> ModuleType:
        return importlib.import_module(name)

    return imported


def test_a_peer_that_cannot_be_installed_stays_in_the_table_with_its_reason(module: Any) -> None:
    error, measures = module("peer_environments").UnavailableError, module("peer_measures")

    def absent() -> dict[str, float]:
        raise error("no matching distribution")

    found = measures.measured({"peer": absent, "tile-engine": lambda: {"rate": 2.0}}, 2)
    assert measures.line(found, "peer", ("rate",)) == ("peer", "not measured: no matching distribution", "")
    assert measures.line(found, "tile-engine", ("rate",)) == ("tile-engine", "2", "1.00")


def test_figures_are_medians_of_rounds_that_take_turns(module: Any) -> None:
    measures, order = module("peer_measures"), []

    def work(name: str, values: list[float]) -> Any:
        return lambda: order.append(name) or {"rate": values.pop(0)}

    found = measures.measured({"a": work("a", [1.0, 9.0, 2.0]), "b": work("b", [4.0, 5.0, 6.0])}, 3)
    assert order == ["a", "b"] * 3
    assert measures.line(found, "b", ("rate",)) == ("b", "5", "2.50")


def test_a_process_that_fails_is_known_by_its_last_line(module: Any) -> None:
    error, measures = module("peer_environments").UnavailableError, module("peer_measures")
    with pytest.raises(error, match="ValueError: so it is"):
        measures.watched([sys.executable, "-S", "-c", "raise ValueError('so it is')"])
    usage = measures.watched([sys.executable, "-S", "-c", "pass"])
    assert usage.processor > 0 and 0 < usage.wall < measures.LIMIT and usage.peak > 1


def test_torch_with_cuda_is_refused_before_its_download(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments, commands = module("peer_environments"), []

    def run(command: list[str]) -> None:
        commands.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True)
        if "--report" in command:
            names = [{"metadata": {"name": name}} for name in ("torch", "nvidia-cublas")]
            Path(command[-1]).write_text(json.dumps({"install": names}))

    monkeypatch.setattr(environments, "_run", run)
    for _ in range(2):
        with pytest.raises(environments.UnavailableError, match="CUDA"):
            environments.python_of("lazyslide", tmp_path)
    assert [("venv" in command, "--dry-run" in command) for command in commands] == [(True, False), (False, True)]
    assert (tmp_path / "lazyslide" / "constraints.txt").read_text().startswith("torch==")


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_all_readers_of_one_slide_give_the_same_pixels(module: Any, tmp_path: Path, threads: int) -> None:
    import tifffile

    scan = np.random.default_rng(0).integers(0, 255, (600, 600, 3), np.uint8)
    size: dict[str, Any] = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(tmp_path / "slide.tif", scan, tile=(256, 256), photometric="rgb", compression="zlib", **size)
    np.save(tmp_path / "places.npy", [[0, 0], [37, 201], [344, 344]])
    work, told = module("peer_work"), str(tmp_path / "told.json")
    for peer in ("openslide", "tile-engine")[threads == 0 :]:
        facts = work.read(peer, str(tmp_path / "slide.tif"), str(tmp_path / "places.npy"), 256, threads, told)
        kept = np.load(tmp_path / "told.npy")
        assert all(
            (kept[n] == scan[y : y + 256, x : x + 256]).all()
            for n, (y, x) in enumerate([(0, 0), (37, 201), (344, 344)])
        )
        assert facts["version"] and min(facts["seconds"]) > 0
