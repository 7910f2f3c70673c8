"""preload: what units of one run need, imported once, by the process that workers are forked from.

That process imports modules by their names; which run it is stands in its environment.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import cast

VARIABLE = "TILE_ENGINE_PRELOAD"
"""Environment variable: a run and its variant."""


def _import_all(run: str, variant: str) -> None:
    """Import what executes the run's units, up to the first module that needs torch, whose threads do not outlive a fork."""
    modules = cast("dict[str, object]", sys.modules)
    modules["torch"] = None
    try:
        with suppress(Exception):  # a worker imports the rest, and says what is wrong
            from ..runs import pipeline
            from ..steps.convert import geometry, tissue
            from . import perform  # noqa: F401 - for the workers

            found = pipeline(run, variant)
            if geometry.PIXELS in found.steps:
                tissue.preload(2 if found.modality.planar else 3)
    finally:
        del modules["torch"]


if (_run := os.environ.pop(VARIABLE, "")) and "torch" not in sys.modules:
    _import_all(*_run.split())
