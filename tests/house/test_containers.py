"""Containers are built by the steps of the README: both recipes do the same, of the tested versions; cheap steps are run.

No image is built: a builder is not part of the tests, and the packages come from the network.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECIPES = ("Dockerfile", "apptainer.def")
VENV = "/opt/venv/bin/"


def steps(recipe: str) -> list[list[str]]:
    """The commands of a recipe, without the folder of its environment."""
    text = (ROOT / recipe).read_text()
    if recipe == "Dockerfile":
        lines = re.findall(r"^RUN (.+)$", text, re.MULTILINE)
    else:
        post = text.partition("%post\n")[2].partition("\n%")[0]
        lines = [line.strip() for line in post.splitlines() if line.strip() and not line.strip().startswith("cd ")]
    return [shlex.split(line.replace(VENV, "")) for line in lines]


def test_both_recipes_do_the_same_steps_on_the_python_that_is_tested() -> None:
    first, second = map(steps, RECIPES)
    assert first == second and len(first) == 4
    version = re.search(r"python([0-9.]+)", (ROOT / "Makefile").read_text())
    assert version
    for recipe in RECIPES:
        assert re.search(rf"^(FROM|From:) python:{version[1]}-slim$", (ROOT / recipe).read_text(), re.MULTILINE)


def test_they_install_the_pinned_torch_and_extras_that_there_are_as_the_readme_says() -> None:
    _, torch, project, _ = steps("Dockerfile")
    pin = next(word for word in torch if word.startswith("torch=="))
    assert pin in (ROOT / "constraints.txt").read_text().split()
    readme = (ROOT / "README.md").read_text()
    assert " ".join(word for word in torch[2:] if word != "--no-cache-dir") in readme
    assert project[:3] == ["python", "-m", "pip"] and project[project.index("-c") + 1] == "constraints.txt"
    extras = re.fullmatch(r"\.\[(.+)\]", project[-1])
    assert extras and set(extras[1].split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_last_step_works_and_says_the_version_that_is_cited() -> None:
    command = steps("Dockerfile")[-1]
    assert command[0] == "tile-engine"
    said = subprocess.run(
        [str(Path(sys.executable).with_name(command[0])), *command[1:]], capture_output=True, text=True
    )
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert said.stdout.split()[-1] == cited["version"] and said.returncode == 0
    assert cited["license"] == PROJECT["license"] and cited["title"] == PROJECT["name"]


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md"])
def test_pages_at_the_root_name_what_there_is(name: str) -> None:
    text = (ROOT / name).read_text()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"`make ([a-z]+)`", text)) <= set(targets)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)\)", text) if "://" not in link]
    assert not [link for link in links if not (ROOT / link).exists()]
