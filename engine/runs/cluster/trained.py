"""trained: the networks and the tree of a finished run, taken over by a run on other images."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import SettingsError
from ...steps.patch_sides import sides_of

if TYPE_CHECKING:
    from ...pipeline.job import Job
    from ...pipeline.unit import Outcome, Unit

RECORD = "models/clusterer.json"
"""The file that the setting `trained` names in the run that was trained: it states the checksum of the weights."""
TAKEN_MODELS = ("autoencoder", "head", "fine_tuned", "clusterer")
ORIGIN = "models/origin"
"""The trained run's tree of clusters, as a document of the run that takes it over."""
DECIDED = ("patch", "stride", "tissue_share", "umap", "level", "classes", "resolution", "nonrigid", "stain")
"""Settings that the trained run decides where they are not given: what is seen and shown, and how sections are registered."""


def with_settings_of_run(values: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """The given settings, completed by those of the trained run: patch, stride, spacing, and what it shows.

    Raises ValueError where the folder holds no finished training, and where a given value contradicts it.
    """
    from ....stores.folder import Folder
    from ....stores.remote import absolute, to_path
    from ...pipeline.documents import read_run

    given = {name: value for name, value in values.items() if value is not None}
    if not given.get("trained"):  # `check_settings` refuses it
        return given
    path = to_path(absolute(str(given.get("trained", ""))))
    if path.name == Path(RECORD).name:  # of a recorded run: its settings are complete
        return given
    try:
        run = read_run(Folder(path))
    except SettingsError as error:
        raise ValueError(f"trained: {error.message.rstrip('.')}") from error
    if not (path / RECORD).exists() or not (path / "models" / "clusters.json").exists():
        raise ValueError(f"trained: {path} holds no finished run of clusters; name the folder of one")
    decided = {name: run.settings[name] for name in DECIDED if name in run.settings and name in fields}
    if "spacing" in fields:
        decided["spacing"] = run.spacing
    for name, read in (("patch", sides_of), ("stride", sides_of), ("spacing", float), ("stain", str)):
        if name in given and name in decided and read(given[name]) != read(decided[name]):
            raise ValueError(
                f"{name}: {given[name]} was given, and the networks of {path} work at {decided[name] or 'the default'}"
            )
    if given.get("match") and "classes" not in given and decided.get("classes"):
        raise ValueError(
            f"classes: the names, colours and merges of {path} go by its own numbers, and --match gives others; give --classes "
            "too, '' for none"
        )
    return {**decided, **given, "trained": str(path / RECORD)}


def stains_of_run(record: str) -> tuple[str, ...]:
    """The stains of the blocks that the run of this `RECORD` was trained on, in the order of the channels.

    Raises SettingsError (E_TRAINED) where it was not trained on blocks, or is gone.
    """
    from ....stores.folder import Folder
    from ....stores.remote import to_path
    from ...pipeline.image_documents import read_images

    out = to_path(record).parent.parent
    stains = [image.stains for image in read_images(Folder(out)).values() if image.stains]
    if not stains:
        raise SettingsError(
            f"the networks of {out} were not trained on stacks of stains, so they do not know which stain is which channel: "
            "blocks of sections cannot be clustered by them.",
            "E_TRAINED",
        )
    return stains[0]


def take_networks(job: Job[Any], unit: Unit) -> Outcome:
    """Copy the trained run's networks, the choice of K, the tree of clusters, and the target of stain normalisation."""
    from ....stores.array import written
    from ....stores.files import write_durably
    from ....stores.remote import to_path
    from ...pipeline.unit import Outcome
    from ...steps.checkpoints import load_network, stated_weights

    outcome = Outcome()
    source = to_path(job.settings.trained).parent
    names = [f"{name}.{suffix}" for name in TAKEN_MODELS for suffix in ("safetensors", "json")]
    targets = {name: name for name in (*names, "validity.json")}
    targets |= {"clusters.json": Path(f"{ORIGIN}.json").name}
    if (source / "normalization.json").exists():  # these networks see normalised stains
        targets["normalization.json"] = "normalization.json"
    for name, target in targets.items():
        with outcome.clock("write"):
            write_durably(job.folder.out / "models" / target, (source / name).read_bytes())
            outcome.files.append(written(job.folder.out / "models" / target))
    path = job.folder.model("clusterer")
    autoencoder, _ = load_network(path, stated_weights(path.with_suffix(".json")))
    channels = next(iter(job.slides.values())).channels
    _check_same_channels(source.parent, autoencoder.channels, channels)
    return outcome


def check_channels(job: Job[Any]) -> None:
    """Raises SettingsError (E_TRAINED) where the networks see another number of channels than these images have, before any
    work; where the trained run's list of images is gone, its networks tell when they are taken."""
    from ....stores.folder import Folder
    from ....stores.remote import to_path
    from ...pipeline.image_documents import read_images

    out = to_path(job.settings.trained).parent.parent
    trained = {image.channels for image in read_images(Folder(out)).values()} if (out / "run.json").exists() else set()
    if len(trained) == 1 and job.slides:
        _check_same_channels(out, trained.pop(), next(iter(job.slides.values())).channels)


def _check_same_channels(out: Path, trained: int, channels: int) -> None:
    if trained != channels:
        raise SettingsError(
            f"the networks of {out} see {trained} channels, and these images have {channels}: they cannot be clustered by "
            "them.",
            "E_TRAINED",
        )
