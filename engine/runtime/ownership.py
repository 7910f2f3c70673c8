"""Ownership: the files in OUT that belong to a run, as its steps' outputs define them.

A redo removes only these files. A first run raises before it would overwrite any other file.
"""

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
from ..pipeline.run_warnings import WARNINGS
from ..pipeline.spec import Pipeline
from ..pipeline.step import Step


def of_image(folder: Folder, step: Step, image: str) -> Iterator[OwnedPath]:
    """The outputs of a step for one image."""
    return (output.of(folder, image) for output in step.outputs if output.per_image)


def of_cohort(folder: Folder, step: Step) -> Iterator[OwnedPath]:
    """The outputs of a step for the whole cohort."""
    return (output.of(folder) for output in step.outputs if not output.per_image)


def own_paths(pipeline: Pipeline) -> str:
    """Pattern of the POSIX paths, relative to OUT, of all files that a run writes."""
    outputs = {output for step in pipeline.steps.values() for output in step.outputs}
    return "|".join([OWN_PATHS, *sorted(output.pattern(pipeline.modality.name) for output in outputs)])


def clear(folder: Folder, steps: Iterable[Step], images: Iterable[str], *, kept: Iterable[Step] = ()) -> None:
    """Remove the outputs and receipts of steps to be redone: array shapes may change, and no old shard must remain.

    Files that a `kept` step also writes are not removed; the redone step overwrites them.
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
    """Remove all outputs and receipts of images that were changed or removed from the cohort."""
    steps = list(steps)
    for image in images:
        for step in steps:
            for owned in of_image(folder, step, image):
                owned.clear()
            _clear_receipts(folder.out / "receipts" / step.name, f"{image}/")
        _remove_emptied(folder.slide(image))


def _remove_emptied(store: Path) -> None:
    """Remove the emptied folders of an image's store; clearing an output leaves its parent folders."""
    for path in (store / "labels", store / "layers", store):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def check_foreign(folder: Folder, steps: Iterable[Step], images: Iterable[str], *, first: bool) -> None:
    """Raises SettingsError (E_FOREIGN) where `steps` would overwrite a file that the run did not write.

    `images` are those new to the run. Outputs of the whole cohort are checked only for the `first` run in the folder.
    """
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
    """Check for foreign documents. Documents of a run that was killed at its start are recognised by their content."""
    _check(folder, [OwnedPath(folder.out / "run.json"), OwnedPath(folder.out / "quarantined.json")])
    for name in ("rejected_pictures", WARNINGS):
        _check(folder, [OwnedPath(folder.out / f"{name}.json")])
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
                f"{path} exists, and this run did not write it: the run would overwrite it. Nothing was begun. Move it "
                f"away, or choose another folder with --out (now {folder.out}).",
                "E_FOREIGN",
            )


def _clear_receipts(root: Path, below: str = "") -> None:
    prune(root / below, partial(_is_receipt, root, below))


def _is_receipt(root: Path, below: str, name: str) -> bool:
    return name.endswith(".json") and is_receipt(root / f"{below}{name}", f"{below}{name}".removesuffix(".json"))
