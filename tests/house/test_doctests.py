"""Examples in docstrings are true: every module of tile_engine is imported and its doctests are run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tile_engine

MODULES = sorted(m.name for m in pkgutil.walk_packages(tile_engine.__path__, "tile_engine.") if ".tests" not in m.name)
ROOMS = ("tile_engine.cli", "tile_engine.engine", "tile_engine.models", "tile_engine.stores", "tile_engine.errors")
MODULES = [name for name in MODULES if name.startswith(ROOMS) and not name.endswith("__main__")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_examples_are_found() -> None:
    found = sum(
        len(test.examples) for n in MODULES for test in doctest.DocTestFinder().find(importlib.import_module(n))
    )
    assert found > 20
