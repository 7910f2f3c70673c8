"""The registry of runs: one line a run, and a folder of that name beside this file that declares it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from ...errors import CorruptError
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
    found: Command = import_module(f".{name}", __package__).COMMAND
    return found


@cache
def pipeline(name: str, variant: str) -> Pipeline:
    """What the runtime needs of a run; heavy. Raises KeyError where there is no such run or variant."""
    from ..images.modality import MODALITIES

    chosen = command(name).named(variant)
    found: Pipeline = import_module(f".{name}", __package__).pipeline(chosen, MODALITIES[chosen.images])
    return found


def recorded(name: object, variant: object) -> Pipeline:
    """The pipeline that a run.json names, whoever wrote it. Raises CorruptError where there is none of these names."""
    if name in RUNS and variant in [v.name for v in command(str(name)).variants]:
        return pipeline(str(name), str(variant))
    raise CorruptError(
        f"run.json says that it is of a run {name!r} on {variant!r}, and this version of tile-engine has no such run: "
        "nothing in the folder is read by it. Open it with the version that made it, or choose another folder."
    )
