"""Ownership: which files in OUT are a run's own, by the outputs of its steps. A redo removes these alone; a first run refuses
to write over anything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from ...errors import CorruptError, SettingsError
from ...stores.files import read_json
from ...stores.folder import Folder
from ...stores.ours import OWN_PATHS, prune
from ...stores.receipts import is_receipt
from ..pipeline.outputs import OwnedPath
from ..pipeline.spec import Pipeline
from ..pipeline.step import Step


def of_image(folder: Folder, step: Step, image: str) -> Iterator[OwnedPath]:
    """What a step leaves of one image."""
    return (output.of(folder, image) for output in step.outputs if output.per_image)


def of_cohort(folder: Folder, step: Step) -> Iterator[OwnedPath]:
    """What a step leaves of all images together."""
    return (output.of(folder) for output in step.outputs if not output.per_image)


def own_paths(pipeline: Pipeline) -> str:
    """Pattern of the paths below OUT, with slashes, of all files that a run writes."""
    outputs = {output for step in pipeline.steps.values() for output in step.outputs}
    return "|".join([OWN_PATHS, *sorted(output.pattern(pipeline.modality.name) for output in outputs)])


def clear(folder: Folder, steps: Iterable[Step], images: Iterable[str], *, kept: Iterable[Step] = ()) -> None:
    """Remove what steps to be redone had left, and nothing else: sizes may differ, and old shards must not linger.

    What a step that is `kept` leaves too stays: the step that is redone writes over it.
    """
    steps, kept = list(steps), list(kept)
    for image in images:
        spared = [owned for step in kept for owned in of_image(folder, step, image)]
        for step in steps:
            for owned in of_image(folder, step, image):
                owned.clear(spared)
    spared = [owned for step in kept for owned in of_cohort(folder, step)]
    for step in steps:
        for owned in of_cohort(folder, step):
            owned.clear(spared)
        _clear_receipts(folder.out / "receipts" / step.name)


def forget_images(folder: Folder, images: Iterable[str], steps: Iterable[Step]) -> None:
    """Remove all that a run had made of images that were changed or taken away, their receipts included."""
    steps = list(steps)
    for image in images:
        for step in steps:
            for owned in of_image(folder, step, image):
                owned.clear()
            _clear_receipts(folder.out / "receipts" / step.name, f"{image}/")
        _remove_emptied(folder.slide(image))


def _remove_emptied(store: Path) -> None:
    """Remove the folders of an image's store that hold nothing any more: each output clears its own folder alone."""
    for path in (store / "labels", store / "layers", store):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def check_foreign(folder: Folder, steps: Iterable[Step], images: Iterable[str], *, first: bool) -> None:
    """Raises SettingsError (E_FOREIGN) where a file lies that would be written over: by `steps` on images that are new to
    the run, and where the run is itself the `first` in this folder, by its work on all of them together."""
    steps = list(steps)
    if first:
        _check_documents(folder)
        for step in steps:
            _check(folder, of_cohort(folder, step))
    if (folder.out / folder.images).is_dir() or (folder.out / "maps").is_dir():
        for image in images:
            for step in steps:
                _check(folder, of_image(folder, step, image))


def _check_documents(folder: Folder) -> None:
    """Documents that a run was killed over while it began are ours, and known by what is in them."""
    _check(folder, [OwnedPath(folder.out / "run.json"), OwnedPath(folder.out / "quarantined.json")])
    for name in ("slides", "rejected"):
        path = folder.out / f"{name}.json"
        try:
            value = read_json(path)
        except FileNotFoundError:
            continue
        except CorruptError:
            value = None
        if not (isinstance(value, dict) and all(isinstance(v, dict) and "fingerprint" in v for v in value.values())):
            _check(folder, [OwnedPath(path)])


def _check(folder: Folder, owned: Iterable[OwnedPath]) -> None:
    for owned_path in owned:
        for path in owned_path.held():
            raise SettingsError(
                f"{path} is there already, and it was not this run that wrote it: it would be overwritten. Nothing was "
                f"begun. Move it away, or choose another folder with --out (now {folder.out}).",
                "E_FOREIGN",
            )


def _clear_receipts(root: Path, below: str = "") -> None:
    prune(root / below, partial(_is_receipt, root, below))


def _is_receipt(root: Path, below: str, name: str) -> bool:
    return name.endswith(".json") and is_receipt(root / f"{below}{name}", f"{below}{name}".removesuffix(".json"))
