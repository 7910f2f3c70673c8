"""What is installed is what lies here: the list of packages in pyproject.toml is complete, and the wheel holds it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("cli", "engine", "models", "stores")


def folders() -> set[str]:
    """Packages that the tree holds, dotted."""
    found = (path.parent.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return {"tile_engine"} | {".".join(("tile_engine", *folder.parts)) for folder in found}


def test_every_folder_is_a_listed_package() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert set(listed) == folders()
    assert len(listed) == len(set(listed))


def test_every_package_says_what_it_is() -> None:
    for name in folders():
        assert (ROOT.joinpath(*name.split(".")[1:]) / "__init__.py").read_text().lstrip().startswith('"""'), name


def contents(room: str) -> list[Path]:
    """Every file of a room that the package needs: modules, templates, stylesheets; not what Python leaves there."""
    return [path for path in (ROOT / room).rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def test_the_wheel_holds_every_module_and_template_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    source = tmp_path / "tile-engine"  # a copy: building leaves folders behind
    for name in ("pyproject.toml", "README.md", "LICENSE", "py.typed", "__init__.py", "errors.py", "version.py"):
        source.mkdir(exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    for room in ROOMS:
        for path in contents(room):
            copy = source / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w"]
    subprocess.run([*command, str(tmp_path), str(source)], check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("tile_engine-*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = [path.relative_to(ROOT).as_posix() for room in ROOMS for path in contents(room)]
    files += ["__init__.py", "errors.py", "version.py", "py.typed"]
    assert names == {f"tile_engine/{file}" for file in files}
    assert "tile_engine/engine/show/templates/report.html.jinja" in names
