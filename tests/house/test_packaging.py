"""What is installed is what lies here: the rule in setup.py finds every package, and the wheel holds every module."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ROOMS = ("cli", "engine", "models", "stores")
LOOSE_FILES = (
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    "py.typed",
    "__init__.py",
    "errors.py",
    "version.py",
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REQUIREMENTS = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["test"]]
PINS = {
    canonicalize_name(line.partition("==")[0]): line.partition("==")[2]
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
}
PIP = (sys.executable, "-m", "pip")
OFFLINE = ("-q", "--no-deps", "--no-build-isolation", "--no-index")


def folders() -> set[str]:
    """Packages that the tree holds, dotted."""
    found = (path.parent.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return {"tile_engine"} | {".".join(("tile_engine", *folder.parts)) for folder in found}


def copy_sources(to: Path) -> Path:
    """A copy of what a build reads, in a folder of another name than the package's: building leaves folders behind."""
    to.mkdir()
    for name in LOOSE_FILES:
        (to / name).write_bytes((ROOT / name).read_bytes())
    for path in (path for room in (*ROOMS, "tests/house") for path in contents(ROOT / room)):
        copy = to / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return to


def contents(room: Path) -> list[Path]:
    """Every file of a room that the package needs; not what Python leaves there."""
    return [path for path in room.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def modules(root: Path) -> set[str]:
    """Paths of all files of the package below `root`: modules, templates, and the marker for type checkers."""
    loose = {"__init__.py", "errors.py", "version.py", "py.typed"}
    return loose | {path.relative_to(root).as_posix() for room in ROOMS for path in contents(root / room)}


def run(*words: str | Path, cwd: Path, path: Path | None = None) -> str:
    """Run a program that has to succeed, with `path` as the only entry of PYTHONPATH; what it printed comes back."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(path)} if path else {}
    command = [str(word) for word in words]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_view_of_the_package_is_a_link_to_the_root() -> None:
    assert (ROOT / ".view" / "tile_engine").readlink() == Path("..")


def test_every_package_says_what_it_is() -> None:
    for name in folders():
        assert (ROOT.joinpath(*name.split(".")[1:]) / "__init__.py").read_text().lstrip().startswith('"""'), name


@pytest.mark.parametrize("through", ["folder", pytest.param("sdist", marks=pytest.mark.nightly)])
def test_the_wheel_holds_every_module_and_template_and_nothing_else(tmp_path: Path, through: str) -> None:
    source = copy_sources(tmp_path / "a-clone")
    expected = {f"tile_engine/{name}" for name in modules(source)}
    assert {f"tile_engine/{name}" for name in modules(ROOT)} == expected
    if through == "sdist":
        run(sys.executable, "-c", "import setuptools.build_meta as b; b.build_sdist('..')", cwd=source)
        (source,) = tmp_path.glob("tile_engine-*.tar.gz")
    run(*PIP, "wheel", *OFFLINE, "-w", tmp_path, source, cwd=tmp_path)
    (wheel,) = tmp_path.glob("tile_engine-*.whl")
    assert {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name} == expected


@pytest.mark.nightly
def test_an_editable_installation_imports_the_checkout(tmp_path: Path) -> None:
    """Into a folder of its own, from a checkout that has not the package's name."""
    source, site = copy_sources(tmp_path / "a-clone"), tmp_path / "site"
    run(*PIP, "install", *OFFLINE, "--target", site, "-e", source, cwd=tmp_path)
    program = f"import site; site.addsitedir({str(site)!r}); import tile_engine.stores.slides as s; print(s.__file__)"
    printed = run(sys.executable, "-S", "-c", program, cwd=tmp_path)
    assert Path(printed.strip()).resolve() == (source / "stores" / "slides" / "__init__.py").resolve()


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_every_requirement_is_pinned_within_its_bounds(requirement: str) -> None:
    wanted = Requirement(requirement)
    pin = PINS.get(canonicalize_name(wanted.name))
    assert pin, f"{wanted.name} of pyproject.toml stands not in constraints.txt: `make pins` writes it anew"
    assert wanted.specifier.contains(pin, prereleases=True), (
        f"constraints.txt pins {pin}, pyproject.toml asks for {wanted}"
    )


def test_a_pin_is_one_exact_release() -> None:
    """A local build tag (the +cpu of torch) would tie the file to one machine's packages."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert not [line for line in lines if not re.fullmatch(r"[\w.-]+==\d[\w.!]*", line)]
    assert len(PINS) == len(lines), "a package is pinned twice"
