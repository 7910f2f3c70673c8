"""The registry of runs: one line a run, and a folder of that name beside this file that declares it (`-` as `_`)."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from ..pipeline.command import Command

if TYPE_CHECKING:
    from ..pipeline.spec import Pipeline

RUNS = (
    "cluster",
    "embed",
)


def command(name: str) -> Command:
    """What users see of a run; light. Raises KeyError where there is no run of this name."""
    if name not in RUNS:
        raise KeyError(name)
    found: Command = _module(name).COMMAND
    return found


def _module(name: str) -> ModuleType:
    return import_module(f".{name.replace('-', '_')}", __package__)


@cache
def pipeline(name: str, variant: str) -> Pipeline:
    """What the runtime needs of a run; heavy. Raises KeyError where there is no such run or variant."""
    from ..images.modality import MODALITIES

    chosen = command(name).named(variant)
    found: Pipeline = _module(name).pipeline(chosen, MODALITIES[chosen.images])
    return found
