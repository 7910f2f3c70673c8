"""What the how-tos say can be done, works: their `console` and `python` blocks are run, in order, beside tiny slides.

In a `console` block a line that begins with `$ ` is a command; `# exit 3` at its end is the status that it must end with
(0 where nothing is said). All other lines of the block show what it prints, and are not compared.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from once import once

HOWTOS = Path(__file__).parents[2] / "docs" / "howto"
SLOW = {
    "anomaly",
    "classify",
    "embed",
    "gang",
    "harmonize",
    "levels",
    "object-stores",
    "sites",
    "stages",
    "subjects",
    "volumes",
}
NIGHTLY = {"demo", *SLOW}
"""Pages whose commands take long, or, of the demo, have no small version. `.ci/run` has the demo made too."""


@dataclass(frozen=True)
class Step:
    """A command or a program of a page."""

    command: list[str]
    text: str
    status: int = 0


def steps(page: str) -> Iterator[Step]:
    for kind, block in re.findall(r"^```(console|python)\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        if kind == "python":
            yield Step(["warm-python", "-c", block], block)
            continue
        for line in re.findall(r"^\$ (.*)$", block.replace("\\\n", " "), re.MULTILINE):
            status = re.search(r"# exit (\d+)$", line)
            yield Step(["bash", "-c", line], line, int(status[1]) if status else 0)


def perform(step: Step, folder: Path, shims: Path) -> str:
    """What the step printed. Fails where it ends otherwise than the page says."""
    path = os.pathsep.join([str(shims), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "COLUMNS": "120"}
    until_owners_ended(folder)
    done = subprocess.run(step.command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == step.status, f"{step.text}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def until_owners_ended(folder: Path) -> None:
    """A step that was killed is done, but on a busy machine its process may take a while to end: until then it owns its OUT."""
    for lock in folder.glob("*/lock.json"):
        owner = json.loads(lock.read_text() or "{}").get("pid")
        limit = time.monotonic() + 300
        while owner and Path(f"/proc/{owner}/stat").exists() and " Z " not in Path(f"/proc/{owner}/stat").read_text():
            assert time.monotonic() < limit, f"process {owner} of an earlier step still owns {lock.parent}"
            time.sleep(0.01)


@pytest.fixture(scope="session")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pieces of a demo slide as `slides/case-1.tif` and `case-2.tif`, and a picture that does not say its spacing."""
    from PIL import Image

    from tile_engine.stores.slides.synthetic import layout, paint, write_demo_pyramid

    def make(folder: Path) -> None:
        (folder / "slides").mkdir()
        pixels = paint(layout(0), 0)
        for number, (y, x) in enumerate([(200, 900), (1300, 700)], 1):
            write_demo_pyramid(folder / "slides" / f"case-{number}.tif", pixels[y : y + 512, x : x + 640].copy())
        Image.fromarray(pixels[700:956, 1400:1656]).save(folder / "photo.png")

    return once(tmp_path_factory, "howto", make) / "slides"


@pytest.fixture(scope="session")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small heads as `volumes/case-01.nii.gz` ..., a list `volumes.csv` of them, and one that is not in it."""
    import nibabel
    import numpy as np

    generator = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("howto-volumes")
    folder.joinpath("volumes").mkdir()
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, 24),) * 3, indexing="ij")
    lines = ["path,subject,site,label"]
    for n in range(13):
        inside = (x / (0.5 + 0.03 * (n % 6))) ** 2 + (y / 0.8) ** 2 + (z / 0.7) ** 2 < 1
        values = (inside * generator.normal(500, 60, x.shape)).astype(np.int16)
        name = f"volumes/case-{n + 1:02d}.nii.gz" if n < 12 else "case.nii.gz"
        nibabel.save(nibabel.Nifti1Image(values, np.diag([3.0, 3.0, 3.0, 1.0])), folder / name)
        lines += [f"{name},p{n // 2},{'AB'[n % 2]},{'AD' if n % 6 > 2 else 'CN'}"] if n < 12 else []
    folder.joinpath("volumes.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 drawn films as `films/case-00.png` ..., and a list `films.csv` of them: half with an opacity, two of a subject."""
    import numpy as np
    from PIL import Image

    from tile_engine.stores.films.synthetic import draw_film

    generator = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("howto-films")
    folder.joinpath("films").mkdir()
    lines = ["path,subject,site,label"]
    for n in range(48):
        abnormal = n % 2 == 1
        film = draw_film(64, generator, abnormal=abnormal)
        Image.fromarray(np.rint(film * 255).astype(np.uint8)).save(folder / f"films/case-{n:02d}.png")
        subject = n // 4 * 2 + n % 2  # two films of a kind
        lines.append(
            f"films/case-{n:02d}.png,p{subject},{'AB'[subject // 2 % 2]},{'opacity' if abnormal else 'normal'}"
        )
    folder.joinpath("films.csv").write_text("\n".join(lines) + "\n")
    return folder


BASIC_RUN = "tile-engine run cluster --slides slides --out results --patch 32 --effort 0.02 --k 2-3 --seeds 2 --no-umap"
"""The run that most pages begin with."""
PAGES_OF_BASIC_RUN = {"levels", "python", "readers", "run-cluster", "search", "slurm", "tutorial-slides", "view"}


@pytest.fixture(scope="session")
def basic_run(slides: Path, warm_commands: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the basic run, done once: on a page that begins with it, the same command goes on and finds all done."""

    def make(folder: Path) -> None:
        shutil.copytree(slides, folder / "slides")
        perform(Step(["bash", "-c", BASIC_RUN], BASIC_RUN), folder, warm_commands.shims())

    return once(tmp_path_factory, "basic-run", make) / "results"


PAGES = sorted(path.stem for path in HOWTOS.glob("*.md"))


@pytest.mark.apart
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.nightly) if n in NIGHTLY else n for n in PAGES])
def test_the_page_works(
    name: str, slides: Path, tmp_path: Path, warm_commands: Any, request: pytest.FixtureRequest
) -> None:
    shutil.copytree(slides, tmp_path / "slides")
    shutil.copy(slides.parent / "photo.png", tmp_path)
    page = (HOWTOS / f"{name}.md").read_text()
    if "volumes.csv" in page and "demo --kind brains" not in page:  # which makes its own
        shutil.copytree(request.getfixturevalue("volumes"), tmp_path, dirs_exist_ok=True)
    if "films.csv" in page:
        shutil.copytree(request.getfixturevalue("films"), tmp_path, dirs_exist_ok=True)
    if "s3://lab" in page:  # a bucket of that name on this machine
        bucket = request.getfixturevalue("lab").url.removeprefix("s3://")
        page = page.replace("s3://lab", f"s3://{bucket}").replace('"lab"', f'"{bucket}"')
    page = page.replace("-s KILL 4 ", "-s KILL 0.4 ")  # a command that starts warm would be done by then
    if name in PAGES_OF_BASIC_RUN:
        shutil.copytree(request.getfixturevalue("basic_run"), tmp_path / "results")
    found = list(steps(page))
    assert found, "a how-to without a command"
    for step in found:
        perform(step, tmp_path, warm_commands.shims())


def test_every_command_has_a_page() -> None:
    assert {"run-cluster", "convert", "stages", "info", "status", "demo", "python"} <= set(PAGES)


def test_a_command_that_fails_is_seen(tmp_path: Path, warm_commands: Any) -> None:
    """Statuses are compared, and lines that are joined by a backslash are one command."""
    page = "```console\n$ exit \\\n  3\nprinted\n```\n```console\n$ exit 3  # exit 3\n```\n"
    wrong, right = steps(page)
    perform(right, tmp_path, warm_commands.shims())
    with pytest.raises(AssertionError, match="ended with 3"):
        perform(wrong, tmp_path, warm_commands.shims())
