"""Preload: the process that workers are forked from has what units of the run need, and no torch."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tile_engine.engine.runtime import preload

PROGRAM = """
import os, sys
import tile_engine.engine.runtime.preload as preload
print(preload.VARIABLE in os.environ, *sys.modules)
"""
UNITS = {"tile_engine.engine.steps.convert.pixels", "tile_engine.models.masks.tissue", "skimage.filters.thresholding"}


@pytest.mark.parametrize(("run", "loaded"), [("cluster slides", UNITS), ("anomaly slides", set[str]())])
def test_what_units_need_is_imported_but_no_torch(run: str, loaded: set[str]) -> None:
    """The modules of a run that import torch are left to its workers; what comes before the first of them is imported."""
    environment = {**os.environ, preload.VARIABLE: run}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    told, *modules = done.stdout.split()
    assert told == "False", "workers do not inherit the variable"
    assert loaded <= set(modules) and f"tile_engine.engine.runs.{run.split()[0]}" in modules
    assert "torch" not in modules
