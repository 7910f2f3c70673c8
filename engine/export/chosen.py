"""chosen: the labels and layers of a run that are exported, and those that it has not finished."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...errors import SettingsError
from ..pipeline.job import Job
from ..pipeline.settings import RunSettings
from .fields import Field, fields_of

Fields = dict[str, list[Field]]
"""Id of an image -> labels and layers of it."""


def labels_of_run(job: Job[RunSettings], names: Collection[str]) -> tuple[Fields, list[str]]:
    """Finished labels of these names, by default of all, and the rest as ID/labels/NAME: every image has the same labels.

    Raises SettingsError (E_NO_LAYER) for a name that no image has.
    """
    found = {image: [field for field in fields_of(job.folder.slide(image)) if field.is_label] for image in job.slides}
    ready, unfinished = _ready(job, found, names, "label")
    chosen = names or _names(found)
    absent = [f"{image}/labels/{n}" for image, labels in found.items() for n in chosen if n not in _names({"": labels})]
    return ready, sorted([*unfinished, *absent])


def fields_of_run(job: Job[RunSettings], names: Collection[str]) -> tuple[Fields, tuple[str, ...]]:
    """Finished labels and layers of these names, by default of all, and others as ID/layers/NAME.

    Raises SettingsError (E_NO_LAYER) for a name that no image has, and where there is nothing.
    """
    found = {image: fields_of(job.folder.slide(image)) for image in job.slides}
    ready, unfinished = _ready(job, found, names, "label or layer")
    if not any(ready.values()):
        why = (
            f"{len(unfinished)} labels and layers are not finished" if unfinished else "no volume has a label or layer"
        )
        raise SettingsError(
            f"{job.folder.out} has nothing to export: {why}. Finish the run with the same command; of embeddings of whole "
            "volumes there is tables/volumes.zarr.",
            "E_NO_LAYER",
        )
    return ready, tuple(unfinished)


def _ready(
    job: Job[RunSettings], found: Mapping[str, list[Field]], names: Collection[str], kind: str
) -> tuple[Fields, list[str]]:
    known = _names(found)
    if unknown := [name for name in names if name not in known]:
        raise SettingsError(
            f"{job.folder.out} has no {kind} {', '.join(map(repr, unknown))}: there is {', '.join(known) or 'none'}.",
            "E_NO_LAYER",
        )
    chosen = {image: [one for one in fields if not names or one.name in names] for image, fields in found.items()}
    unfinished = [f"{image}/{one.below}" for image, fields in chosen.items() for one in fields if not one.is_finished]
    return {image: [one for one in fields if one.is_finished] for image, fields in chosen.items()}, unfinished


def _names(found: Mapping[str, list[Field]]) -> list[str]:
    return sorted({field.name for fields in found.values() for field in fields})
