"""stain_match: `--match` and `--trained` of a folder that holds a run for each stain, resolved to one of its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import SettingsError
from ...stores.folder import Folder
from ...stores.remote import absolute
from ..pipeline.documents import StainRun, StainRuns, find_stain_runs

SETTING = "match"


@dataclass(frozen=True, slots=True)
class OldRuns:
    """The folder of several stains that a command is matched to."""

    out: Path
    stains: StainRuns

    @property
    def listing(self) -> str:
        """Each of its runs, as the option that names it."""
        return ", ".join(f"--match {self.out / run.folder} (stain {run.name})" for run in self.stains.runs)


def split(settings: Mapping[str, Any]) -> tuple[dict[str, Any], OldRuns | None]:
    """The settings without a `match` that names a folder of several stains, and that folder."""
    path = settings.get(SETTING)
    if not isinstance(path, (str, Path)) or not path:
        return dict(settings), None
    out = absolute(str(path))
    stains = find_stain_runs(Folder(out))
    if stains is None:
        return dict(settings), None
    return {name: value for name, value in settings.items() if name != SETTING}, OldRuns(out, stains)


def check_old(old: OldRuns | None, stains: StainRuns | None) -> None:
    """Raises SettingsError (E_MATCH), before any work, where it is not certain which old run belongs to which stain."""
    if old is None:
        return
    if stains is None:
        raise SettingsError(
            f"--match {old.out} holds a run for each of {len(old.stains.runs)} stains, and this command makes one run: name "
            f"one of them: {old.listing}.",
            "E_MATCH",
        )
    unknown = [run.name for run in stains.runs if run.name not in {one.name for one in old.stains.runs}]
    if {stains.decided, old.stains.decided} == {"column"} and not unknown:
        return
    reason = (
        f"has no run of stain {', '.join(unknown)}"
        if unknown
        else "and this command divide slides by their colours, so equal names need not be one stain"
    )
    raise SettingsError(
        f"--match {old.out} {reason}. Nothing was begun. Leave --match out, and afterwards match each run to the old one of "
        f"its stain: `tile-engine relabel OUT/STAIN --match ...`, with {old.listing}.",
        "E_MATCH",
    )


def matched(settings: Mapping[str, Any], old: OldRuns | None, run: StainRun) -> dict[str, Any]:
    """The settings of one run: with the old run of its stain."""
    if old is None:
        return dict(settings)
    [folder] = [one.folder for one in old.stains.runs if one.name == run.name]
    return {**settings, SETTING: str(old.out / folder)}
