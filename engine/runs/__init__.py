"""The registry of runs: one line per run; a folder of that name beside this file declares the run (`-` becomes `_`)."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from ...errors import CorruptError
from ..pipeline.command import Command

if TYPE_CHECKING:
    from ..pipeline.spec import Pipeline

RUNS = (
    "anomaly",
    "classify",
    "cluster",
    "embed",
    "harmonize",
    "register",
    "sites",
)


def command(name: str) -> Command:
    """The command of a run, with cheap imports. Raises KeyError if there is no run of this name."""
    if name not in RUNS:
        raise KeyError(name)
    found: Command = _module(name).COMMAND
    return found


def _module(name: str) -> ModuleType:
    return import_module(f".{name.replace('-', '_')}", __package__)


@cache
def pipeline(name: str, variant: str) -> Pipeline:
    """The pipeline of a run, with all its imports. Raises KeyError if there is no such run or variant."""
    from ..images.modality import MODALITIES

    selection = command(name).named(variant)
    spec: Pipeline = _module(name).pipeline(selection, MODALITIES[selection.images])
    return spec


def usual(images: str) -> Command:
    """The run that a first stage called alone belongs to: the first run whose main images are of this kind.

    Raises KeyError if there is none.
    """
    for found in map(command, RUNS):
        if found.images[0] == images:
            return found
    raise KeyError(images)


def recorded(name: object, variant: object) -> Pipeline:
    """The pipeline that run.json names; its content is not trusted. Raises CorruptError if there is no such pipeline."""
    if name in RUNS and variant in [v.name for v in command(str(name)).variants]:
        return pipeline(str(name), str(variant))
    raise CorruptError(
        f"run.json names the run {name!r} on {variant!r}, which this version of tile-engine does not have, so the folder "
        "cannot be read. Open it with the version that made it, or choose another folder."
    )
