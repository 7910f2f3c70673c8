"""Documents: run.json and a run's other JSON documents as typed values. Only this module reads and writes them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ...errors import CorruptError, SettingsError
from ...stores.folder import Folder
from ...stores.inside import ID_PATTERN
from ...stores.likeness import meant
from .settings import RunSettings, settings_of
from .validated import validated

SCHEMA_VERSION: Literal[2] = 2
"""Schema version of a run's documents; it increases when a field changes its name or meaning."""


def _number(value: object) -> object:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


JsonNumber = Annotated[int | float | None, BeforeValidator(_number)]
"""None stands for a value that is not finite, as JSON has no NaN."""


class Part(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(Part):
    """A JSON document of a run."""

    schema_version: Literal[2] = SCHEMA_VERSION


class StepRecord(Part):
    """The progress of a step."""

    fingerprint: str
    """Fingerprint of everything that determines the step's results."""
    status: Literal["running", "complete"]
    seconds: dict[str, float]
    """read, compute and write, summed over workers and threads."""
    wall: float
    """Wall time in seconds, summed over all attempts that have ended."""
    begun: float = 0.0
    """When the attempt that has not ended began, in seconds since 1970; 0 where there is none, and for units that are done
    beside another step's."""


class CacheRecord(Part):
    """The cache of remote files that the run used. For information only: it is never read back as a setting."""

    folder: str | None
    limit: float | None


class RunDocument(Document):
    """run.json: the run's command, inputs and settings, the fingerprints of its steps, and its progress."""

    tile_engine: str
    """Version of tile-engine that wrote the document."""
    status: Literal["running", "done"]
    command: str
    variant: str
    input: str
    """Folder that the images' names are relative to."""
    settings: dict[str, Any]
    """JSON values; the settings model of the pipeline's variant validates them."""
    spacing: float
    """Micrometres per pixel that the run works at."""
    ignored: tuple[tuple[str, str], ...]
    """Name and reason of ignored files, which are not images."""
    cache: CacheRecord
    fingerprints: dict[str, str]
    """Step -> fingerprint of everything that determines its results."""
    steps: dict[str, StepRecord]
    """The steps that have begun."""
    versions: dict[str, str]
    """Versions of the packages that affect results."""

    @property
    def common(self) -> RunSettings:
        """The settings that all pipelines share."""
        return settings_of({k: v for k, v in self.settings.items() if k in RunSettings.model_fields}, RunSettings)

    def is_complete(self, steps: Iterable[str]) -> bool:
        """Whether all of these steps are complete."""
        return all(step in self.steps and self.steps[step].status == "complete" for step in steps)

    def with_step(self, name: str, record: StepRecord) -> RunDocument:
        """A copy of the document with a new record of one step."""
        return self.model_copy(update={"steps": {**self.steps, name: record}})


Untold = Literal["tissue", "channels", "unreadable", "crash", "timeout"]
"""Why a slide's stain is not told by its colours."""


class StainSlide(Part):
    """A slide as it was when its stain was decided."""

    name: str
    fingerprint: str


class StainRun(Part):
    """One run among several in a folder: the slides of one stain."""

    name: str
    """The stain: as the list of slides names it, or stain-1, stain-2 ... where it was found by colour."""
    folder: Annotated[str, Field(pattern=f"^{ID_PATTERN}$")]
    """Name of the run's folder in OUT."""
    slides: dict[str, StainSlide]
    """By id."""
    spacing: float | None = None
    """Micrometres a pixel of all runs on blocks, which lie on one grid; None where the settings state it, and of slides."""
    failure: str = ""
    """Why none of its slides can be used, as the last command found; empty where that is not so."""


class StainRuns(Document):
    """stains.json: which slides are clustered in which run, where each stain has a run of its own in a folder of OUT."""

    decided: Literal["column", "pixels"]
    """By the column `stain` of the list of slides, or by the slides' colours."""
    input: str
    """Folder that the slides' names are relative to."""
    runs: tuple[StainRun, ...]
    untold: dict[str, Untold] = {}
    """Id -> reason, of slides whose colours do not tell their stain: they are in the largest run."""
    warnings: tuple[str, ...] = ()
    """What was warned of before the runs: the list, and how the stains were told; not those of `untold`."""
    stained_mm2: dict[str, float] = {}
    """Id -> area of stained tissue, of those that have too little of it."""

    @property
    def largest(self) -> StainRun:
        """The run with most slides."""
        return max(self.runs, key=lambda run: len(run.slides))

    def named(self, ids: Iterable[str]) -> list[str]:
        """Names of slides, by their ids."""
        slides = {i: slide.name for run in self.runs for i, slide in run.slides.items()}
        return [slides[i] for i in ids if i in slides]

    def with_failure(self, folder: str, failure: str) -> StainRuns:
        """A copy that says why no slide of one run can be used."""
        runs = tuple(run.model_copy(update={"failure": failure}) if run.folder == folder else run for run in self.runs)
        return self.model_copy(update={"runs": runs})


D = TypeVar("D", bound=Document)


def find_run(folder: Folder) -> RunDocument | None:
    """run.json; None where the folder holds no run.

    Raises SettingsError (E_OLD_RUN, E_NEW_RUN) where another version of tile-engine made the run, and CorruptError where
    the file is invalid.
    """
    raw = folder.read("run")
    if "settings" not in raw:
        return None
    version = raw.get("schema_version", 1 if "tile_engine" in raw else SCHEMA_VERSION)
    if isinstance(version, int) and version != SCHEMA_VERSION:
        raise _of_another_version(folder, version)
    return validated(folder, "run", lambda: RunDocument.model_validate(raw))


def read_run(folder: Folder) -> RunDocument:
    """run.json. Raises as `find_run`, and SettingsError: E_NO_RUN where the folder holds no run, E_SEVERAL_RUNS where it holds
    one for each stain."""
    run = find_run(folder)
    if run is None and (stains := find_stain_runs(folder)):
        folders = ", ".join(f"{folder.out / one.folder} (stain {one.name})" for one in stains.runs)
        raise SettingsError(
            f"{folder.out} holds a run for each of {len(stains.runs)} stains, and this needs one run: name one of {folders}.",
            "E_SEVERAL_RUNS",
        )
    if run is None and (below := runs_below(folder)):
        raise SettingsError(
            f"{folder.out} holds no run itself, but runs in folders of it: name one of {', '.join(map(str, below))}. If one "
            "command made them, of slides in several stains, its stains.json was lost: the same command writes it again.",
            "E_NO_RUN",
        )
    if run is None:
        near = meant(folder.out, lambda path: (path / "run.json").exists() or (path / "stains.json").exists())
        raise SettingsError(
            f"{folder.out} holds no run: there is no {'run.json in it' if folder.out.exists() else 'such folder'}.{near} Name "
            "the folder of a run, which its command printed, or begin one with `tile-engine run cluster IMAGES --out FOLDER`.",
            "E_NO_RUN",
        )
    return run


def write_run(folder: Folder, run: RunDocument) -> None:
    folder.write("run", run.model_dump(mode="json"))


def find_stain_runs(folder: Folder) -> StainRuns | None:
    """stains.json; None where the folder does not hold a run for each stain."""
    return find_document(folder, "stains", StainRuns)


def runs_below(folder: Folder) -> list[Path]:
    """Folders directly in this one that hold a run."""
    found = folder.out.iterdir() if folder.out.is_dir() else ()
    return sorted(path for path in found if (path / "run.json").exists())


def write_stain_runs(folder: Folder, stains: StainRuns) -> None:
    folder.write("stains", stains.model_dump(mode="json"))


def find_document(folder: Folder, name: str, model: type[D]) -> D | None:
    """A document by its path without suffix ("models/validity"); None where it does not exist yet.

    Raises CorruptError where the file is invalid.
    """
    raw = folder.read(name)
    return validated(folder, name, lambda: model.model_validate(raw)) if raw else None


def read_document(folder: Folder, name: str, model: type[D]) -> D:
    """As `find_document`, for a required document. Raises CorruptError where it is missing or invalid."""
    document = find_document(folder, name, model)
    if document is None:
        raise CorruptError(
            f"{folder.out / name}.json is missing: the file was deleted, or the step that writes it is not done."
        )
    return document


def _of_another_version(folder: Folder, version: int) -> SettingsError:
    older = version < SCHEMA_VERSION
    return SettingsError(
        f"{folder.out} holds a run of {'an earlier' if older else 'a newer'} version of tile-engine: its documents have "
        f"schema version {version}, and this version of tile-engine reads {SCHEMA_VERSION}. Nothing was touched. Give another "
        "folder with --out, or use the version that made the run.",
        "E_OLD_RUN" if older else "E_NEW_RUN",
    )
