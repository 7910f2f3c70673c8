"""The page on adding a run, done to the letter in a copy of the package; its run is killed, resumed, verified and looked at."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tile_engine.stores.image import StoredImage
from tile_engine.stores.tables import read_table

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding-a-run.md"
MOST_LINES = 120
OPTIONS = ("--patch", "32", "--spacing", "0.5", "--no-umap", "--cluster", "none", "-q")
NOT_COPIED = (".venv", ".git", ".bench", ".*_cache", "__pycache__", "build", "dist", "demo", "*.egg-info", "shared")


def files_of_the_page() -> dict[str, str]:
    """Path -> content of the page's blocks that are headed by a path."""
    return dict(re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE.read_text(), re.DOTALL))


def line_of_the_page() -> str:
    """The line that the page adds to the registry."""
    (line,) = re.findall(r"```diff\n\+( +\"[a-z-]+\",\n)```", PAGE.read_text())
    return str(line)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the page's files and line."""
    copy = tmp_path_factory.mktemp("package") / "tile-engine"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for path, content in files_of_the_page().items():
        (copy / path).parent.mkdir(exist_ok=True)
        (copy / path).write_text(content)
    registry = copy / "engine" / "runs" / "__init__.py"
    before = registry.read_text()
    registry.write_text(re.sub(r"(?ms)^(RUNS = \(\n.*?)^\)", rf"\1{line_of_the_page()})", before))
    assert len(registry.read_text().splitlines()) == len(before.splitlines()) + 1
    return copy


def environment(package: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(package / ".view"), "TILE_ENGINE_TESTS_COLD": "1"}


def command(package: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """A command line of the copy, to its end."""
    line = [sys.executable, "-m", "tile_engine.cli", *map(str, words)]
    return subprocess.run(
        line, capture_output=True, text=True, timeout=300, check=False, env=environment(package), cwd=package.parent
    )


def words(cohort: Path, out: Path, *more: str) -> tuple[str, ...]:
    return ("run", "mean-colour", "--slides", str(cohort), "--out", str(out), *OPTIONS, *more)


@pytest.fixture(scope="module")
def done(package: Path, cohorts: dict[str, Path]) -> Path:
    """The run, undisturbed."""
    out = package.parent / "done"
    ended = command(package, *words(cohorts["slides"], out))
    assert ended.returncode == 0, ended.stderr
    return out


def results(out: Path) -> dict[str, str]:
    files = (p for name in ("slides", "tables") for p in (out / name).rglob("*") if p.is_file())
    return {p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_run_is_one_folder_of_few_lines() -> None:
    files = files_of_the_page()
    assert len({Path(path).parent for path in files}) == 1
    assert "__init__.py" in {Path(path).name for path in files}
    assert sum(len(content.splitlines()) for content in files.values()) <= MOST_LINES
    assert len(line_of_the_page().splitlines()) == 1


def test_help_shows_the_setting_of_the_page(package: Path) -> None:
    ended = command(package, "run", "mean-colour", "--help")
    assert ended.returncode == 0, ended.stderr
    assert all(option in ended.stdout for option in ("--scale", "--patch", "--slides"))
    assert "--jitter" not in ended.stdout, "a setting of runs that train networks"


@pytest.mark.nightly
def test_a_layer_a_table_and_a_report_say_the_mean_colour_of_each_tile(done: Path) -> None:
    table = read_table(done / "tables" / "tiles.zarr")
    stores = sorted((done / "slides").iterdir())
    assert len(stores) == 3 and len(table.obs) > 100
    for store in stores:
        image, layer = StoredImage.open(store), StoredImage.open(store / "layers" / "mean_colour")
        pixels = image.read(image.frames[0].box)
        tiles = table[table.obs["slide"] == store.name.removesuffix(".ome.zarr")]
        inside = [i for i, cell in enumerate(zip(tiles.obs["row"], tiles.obs["column"], strict=True)) if min(cell)]
        assert inside
        for i in inside[:50]:
            row, column = tiles.obs["row"].iloc[i], tiles.obs["column"].iloc[i]
            y, x = row * 16 - 8, column * 16 - 8
            patch = pixels[:, y : y + 32, x : x + 32]
            if patch.shape[1:] == (32, 32):
                np.testing.assert_allclose(tiles.X[i], patch.mean((1, 2)), rtol=1e-6)
            np.testing.assert_array_equal(layer.read(layer.frames[0].box)[:, row, column], tiles.X[i])
    assert "Mean colour of the tissue" in (done / "report.html").read_text()


@pytest.mark.nightly  # the tests of all runs below kill it, too
def test_killed_at_its_first_receipts_and_resumed_it_leaves_the_same_bytes(
    package: Path, cohorts: dict[str, Path], done: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for step in ("pixels", "tiles"):
        with started(package, *words(cohorts["slides"], out)) as process:
            until_begun(process, out / "receipts" / step)
            process.kill()
            process.wait(60)
        assert not (out / "report.html").exists(), "it was killed before its end"
    ended = command(package, *words(cohorts["slides"], out))
    assert ended.returncode == 0, ended.stderr
    assert results(out) == results(done)
    verified = command(package, "verify", str(out), "--full")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@contextmanager
def started(package: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    line = [sys.executable, "-m", "tile_engine.cli", *words]
    with subprocess.Popen(
        line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(package), cwd=package.parent
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until_begun(process: subprocess.Popen[bytes], receipts: Path) -> None:
    """Wait until a step has left a receipt."""
    limit = time.monotonic() + 300
    while not (receipts.is_dir() and any(receipts.rglob("*.json"))):
        assert process.poll() is None and time.monotonic() < limit, f"no receipt came in {receipts}"
        time.sleep(0.002)


@pytest.mark.nightly  # the tests of all runs below redo it, too
def test_a_changed_setting_is_refused_and_redone_without_converting_again(
    package: Path, cohorts: dict[str, Path], done: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(done, tmp_path / "out"))
    refused = command(package, *words(cohorts["slides"], out, "--scale", "density"))
    assert refused.returncode == 2 and "scale: intensity -> density" in refused.stderr
    before = {p: p.stat().st_mtime_ns for p in (out / "slides").glob("*/[0-9]/**/*")}
    ended = command(package, *words(cohorts["slides"], out, "--scale", "density", "--redo"))
    assert ended.returncode == 0, ended.stderr
    assert before and {p: p.stat().st_mtime_ns for p in before} == before
    old, new = (read_table(folder / "tables" / "tiles.zarr").X for folder in (done, out))
    np.testing.assert_allclose(new, -np.log10((old.astype(float) + 1) / 256), atol=1e-5)


@pytest.mark.nightly
def test_the_tests_of_all_runs_hold_for_it(package: Path) -> None:
    """Nothing was written for it: they find it in the registry."""
    tests = ("tests/contracts/test_pipeline.py", "tests/house/test_runs.py")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", "mean-colour or registry"],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env=environment(package),
        cwd=package,
    )
    assert ended.returncode == 0, ended.stdout[-5000:]
    assert int(re.findall(r"(\d+) passed", ended.stdout)[0]) >= 12
