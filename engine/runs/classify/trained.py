"""trained: the final network of a finished run, taken over by a run on new films."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import SettingsError

if TYPE_CHECKING:
    from ...pipeline.job import Job
    from ...pipeline.unit import Outcome, Unit
    from .settings import TrainedFilmSettings

FINAL = "final"
"""The network that is applied to new films."""
RECORD = f"models/{FINAL}.json"
"""The file that the setting `trained` names in the run that was trained: it states the checksum of the weights."""
ORIGIN = "models/origin"
"""What the network was trained on, as a document of the run that takes it over; its own run keeps it as models/folds."""
DECIDED = ("side", "normal", "label", "normal_if", "modality", "gradcam")
"""Settings that the trained run decides where they are not given; the side always."""


def with_settings_of_run(values: Mapping[str, Any]) -> dict[str, Any]:
    """The given settings, completed by those of the trained run.

    Raises ValueError where the folder holds no finished run of this kind, or another side is given.
    """
    from ....stores.folder import Folder
    from ....stores.remote import absolute, to_path
    from ...pipeline.documents import read_run

    given = {name: value for name, value in values.items() if value is not None}
    if not given.get("trained"):  # `check_trained` refuses it
        return given
    path = to_path(absolute(str(given["trained"])))
    if path.name == Path(RECORD).name:
        if all(name in given for name in DECIDED):  # of a recorded run: its settings are complete
            return given
        path = path.parent.parent
    try:
        run = read_run(Folder(path))
    except SettingsError as error:
        raise ValueError(f"trained: {error.message.rstrip('.')}") from error
    if run.command != "classify" or not (path / RECORD).exists():
        raise ValueError(f"trained: {path} holds no trained classifier of films; name the folder of a finished run")
    decided = {name: run.settings[name] for name in DECIDED if name in run.settings}
    if "side" in given and given["side"] != decided["side"]:
        raise ValueError(f"side: {given['side']} was given, and the network of {path} sees {decided['side']} pixels")
    return {**decided, **given, "trained": str(path / RECORD)}


def check_trained(job: Job[TrainedFilmSettings]) -> None:
    """Raises SettingsError (E_TRAINED) where no run is named, and for a rule or label that was asked for and the list lacks."""
    from ....stores.folder import Folder
    from ....stores.remote import to_path
    from ...pipeline.documents import find_run
    from ...steps.films.index import check_rule

    if not job.settings.trained:
        raise SettingsError(
            "--trained names no run: give the folder of a finished run that classifies films.", "E_TRAINED"
        )
    run = find_run(Folder(to_path(job.settings.trained).parent.parent))
    check_rule(job, taken=run.settings if run else job.settings.model_dump(include={"label", "normal_if"}))


def take_network(job: Job[TrainedFilmSettings], unit: Unit) -> Outcome:
    """Copy the final network, its record, and what it was trained on."""
    from ....stores.array import written
    from ....stores.files import write_durably
    from ....stores.remote import to_path
    from ...pipeline.unit import Outcome

    outcome = Outcome()
    source = to_path(job.settings.trained).parent
    origin = "origin.json" if (source / "origin.json").exists() else "folds.json"  # of a run that took it over itself
    targets = {f"{FINAL}.safetensors": f"{FINAL}.safetensors", f"{FINAL}.json": f"{FINAL}.json", origin: "origin.json"}
    for name, target in targets.items():
        path = job.folder.out / "models" / target
        with outcome.clock("write"):
            write_durably(path, (source / name).read_bytes())
            outcome.files.append(written(path))
    return outcome
