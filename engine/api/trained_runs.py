"""run_to_apply: which run judges new images by the networks of a finished one."""

from __future__ import annotations

from pathlib import Path

from ...errors import SettingsError
from ...stores.folder import Folder
from ...stores.remote import absolute
from ..pipeline.documents import find_run
from ..runs import RUNS, command

TRAINED = "trained"
"""The setting that names a finished run."""


def run_to_apply(out: str | Path, images: str) -> str:
    """Name of the run that takes over the networks of the run in `out` for new images of a kind.

    Where `out` holds no run, the first one that takes over networks for such images: its settings say what is wrong. Raises
    SettingsError (E_TRAINED) for a run whose networks no run takes over.
    """
    run = find_run(Folder(absolute(out)))
    if run is None:
        return next(name for name in RUNS if _takes_over(name, images))
    if run.command not in RUNS or not _takes_over(run.command, images):
        able = [name for name in RUNS if _takes_over(name, images)]
        raise SettingsError(
            f"{out} holds a run `{run.command}`, whose networks cannot be applied to new {images}: only those of "
            f"{' or '.join(f'`run {name}`' for name in able)} can.",
            "E_TRAINED",
        )
    return run.command


def _takes_over(name: str, images: str) -> bool:
    return any(variant.given == TRAINED and variant.images == images for variant in command(name).variants)
