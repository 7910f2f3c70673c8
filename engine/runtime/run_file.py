"""run_file: a run's images and settings as a YAML file: read for `--config`, and written to OUT/run.yaml by every run.

The keys are those of Python: a kind of images (`slides`), `out`, and the settings, of which run.yaml names those that are no
defaults. Nothing of a list of images is copied, only its path. What a setting read from a file stands there as read.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import SettingsError
from ...models.training.budget import EFFORT_FACTORS
from ...stores.files import write_whole
from ...stores.folder import Folder
from ...stores.remote import absolute, as_list
from ..pipeline.command import Command
from ..pipeline.modality import Images
from ..pipeline.settings import RunSettings
from ..pipeline.spec import Pipeline
from ..steps.report import RUN_FILE, RUN_FILE_TOP
from ..workers.yaml_file import read_limited, yaml_text, yaml_values

MAX_RUN_FILE_BYTES = 20_000_000
RUN, OUT = "run", "out"
TOP = f"""{RUN_FILE_TOP}# tile-engine writes this file anew with every command: change a copy.
"""


@dataclass(frozen=True, slots=True)
class RunFile:
    """What a file says of a run."""

    images: Mapping[str, Any]
    """Kind of images -> the images."""
    out: str | None
    settings: Mapping[str, Any]
    """Settings by their names in Python; not validated yet."""


def read_run_file(path: str | Path, command: Command) -> RunFile:
    """A file of a run of this command. Paths in it are relative to the working folder, as those of a command are.

    Raises SettingsError (E_CONFIG) for a file that cannot be read, is of another run, or has keys that the run does not have.
    """
    file = Path(path).expanduser()
    try:
        values = yaml_values(read_limited(file, MAX_RUN_FILE_BYTES, "E_CONFIG"), str(path), "E_CONFIG")
    except FileNotFoundError as error:
        raise SettingsError(f"there is no file {path}, which --config names.", "E_CONFIG") from error
    name = values.pop(RUN, command.name)
    if name != command.name:
        raise SettingsError(f"{path} is of `tile-engine run {name}`, and this is a `run {command.name}`.", "E_CONFIG")
    settings = {name for variant in command.variants for name in variant.settings.model_fields}
    known = {*command.images, OUT, *settings}
    if unknown := [key for key in values if key not in known]:
        near = difflib.get_close_matches(unknown[0], known, 1)
        meant = f", did you mean {near[0]!r}?" if near else ": a run has the keys of its function in Python."
        raise SettingsError(f"{path}: there is no key {unknown[0]!r}{meant}", "E_CONFIG")
    out = values.pop(OUT, None)
    images = {kind: _images(path, kind, values.pop(kind)) for kind in command.images if values.get(kind) is not None}
    if out is not None and not isinstance(out, str):
        raise SettingsError(f"{path}: out = {out!r}: give the path of a folder.", "E_CONFIG")
    return RunFile(images, out, {key: value for key, value in values.items() if value is not None})


def write_run_file(pipeline: Pipeline, folder: Folder, settings: RunSettings, images: Images | None = None) -> None:
    """Write OUT/run.yaml, unless a file of that name is there that tile-engine did not write.

    Without `images`, those that it names stay, and where there is no such file none is written.
    """
    kind, path = pipeline.modality.name, folder.out / RUN_FILE
    try:
        before = read_limited(path, MAX_RUN_FILE_BYTES, "E_CONFIG")
    except FileNotFoundError:
        before = b""
    if before and not before.startswith(TOP.splitlines()[0].format(name=pipeline.command.name).encode()):
        return
    if images is None:
        named = yaml_values(before, str(path), "E_CONFIG").get(kind)
        if named is None:
            return
    else:
        all_paths = [str(absolute(one)) for one in as_list(images)]
        named = all_paths[0] if len(all_paths) == 1 else all_paths
    values = settings.model_dump(mode="json", exclude_defaults=True)
    if given := pipeline.variant.given:
        values.setdefault(given, settings.model_dump(mode="json")[given])
    if "effort" in values:
        words = {factor: word for word, factor in EFFORT_FACTORS.items()}
        values["effort"] = words.get(values["effort"], values["effort"])
    text = yaml_text({RUN: pipeline.command.name, kind: named, OUT: str(folder.out), **values})
    content = (TOP.format(name=pipeline.command.name) + text).encode()
    if content != before:
        write_whole(path, content)


def images_named(folder: Folder) -> list[str]:
    """The folders, globs, files and lists that OUT/run.yaml names as the images; none where there is no such file of ours."""
    path = folder.out / RUN_FILE
    try:
        values = yaml_values(read_limited(path, MAX_RUN_FILE_BYTES, "E_CONFIG"), str(path), "E_CONFIG")
    except (FileNotFoundError, SettingsError):
        return []
    named = values.get(folder.images, [])
    return [one for one in (named if isinstance(named, list) else [named]) if isinstance(one, str)]


def _images(path: str | Path, kind: str, value: Any) -> Any:
    if isinstance(value, str) or (isinstance(value, list) and value and all(isinstance(one, str) for one in value)):
        return value
    raise SettingsError(f"{path}: {kind} = {value!r}: give a path, or a list of paths.", "E_CONFIG")
