"""Registry and folders of runs agree, and what help reads of a run imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tile_engine.engine import runs

HEAVY = {"numpy", "torch", "zarr", "dask", "distributed", "pandas", "anndata", "scipy", "sklearn", "matplotlib"}
PROGRAM = """
import sys
from tile_engine.engine.runs import command
found = command(sys.argv[1])
assert found.name == sys.argv[1] and found.summary and found.variants
print(*sys.modules)
"""


def test_the_registry_has_a_line_for_every_folder_and_a_folder_for_every_line() -> None:
    here = Path(str(runs.__file__)).parent
    folders = {path.parent.name for path in here.glob("*/__init__.py")}
    assert {name.replace("-", "_") for name in runs.RUNS} == folders
    assert len(set(runs.RUNS)) == len(runs.RUNS)
    assert not [path for path in here.glob("*.py") if path.name != "__init__.py"], "a run is a folder"


@pytest.mark.parametrize("name", runs.RUNS)
def test_what_help_reads_of_a_run_is_light(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & HEAVY


@pytest.mark.parametrize("name", runs.RUNS)
def test_a_run_that_is_asked_for_by_variant_is_the_one_that_its_command_names(name: str) -> None:
    command = runs.command(name)
    assert len({variant.name for variant in command.variants}) == len(command.variants)
    for variant in command.variants:
        found = runs.pipeline(name, variant.name)
        assert (found.command, found.variant) == (command, variant)
        assert found.modality.name == variant.images and next(iter(found.stages)) == "convert"
