"""Leavings: what each step leaves where in OUT. A redo removes that alone; a first run refuses to write over it.

A place is a folder (or one file) and the names in it that are tile-engine's own; what else lies there is somebody else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...errors import CorruptError, SettingsError
from ...stores.files import read_json
from ...stores.folder import Folder
from ...stores.ours import ARRAY, CASES, FIELDS, IMAGE, INDEX, NETWORKS, SAMPLES, STORE, TABLE, held, named, prune
from ...stores.receipts import is_receipt

COHORT_PICTURES = ("gallery", "umap", "k", "slides", "training", "tsne", "reconstructions")


@dataclass(frozen=True, slots=True)
class Place:
    """Where some of a step's files lie."""

    root: Path
    names: str = ""
    """Pattern of the names below `root`; empty where `root` is itself the file."""

    def held(self) -> Iterator[Path]:
        return held(self.root, named(self.names))

    def clear(self) -> None:
        prune(self.root, named(self.names))


def of_slide(folder: Folder, step: str, slide: str) -> Iterator[Place]:
    """What a step leaves of one slide."""
    if step in ("overview", "pixels"):
        yield Place(folder.slide(slide), STORE)
    elif step == "tiles":
        for name in ("clusters", *FIELDS):
            yield Place(folder.layer(slide, name), IMAGE)
    elif step == "pictures":
        for path in (folder.map(slide), folder.map(slide, "density"), folder.map(slide).with_suffix(".geojson")):
            yield Place(path)


def of_cohort(folder: Folder, step: str) -> Iterator[Place]:
    """What a step leaves of all slides together."""
    if step in ("draw", "patches", "lineup", "prepare"):
        yield Place(folder.samples, SAMPLES)
    elif step in MODELS:
        for name in MODELS[step]:
            yield Place(folder.out / "models" / name)
    elif step == "table":
        yield Place(folder.table, TABLE)
        yield Place(folder.out / "index", INDEX)
        yield Place(folder.out / "index", r"index\.json")
        yield Place(folder.out / "shares.csv")
    elif step == "encode":
        for part in ("codes", "errors"):
            yield Place(folder.samples / part, rf"[a-z0-9-]+/{ARRAY}")
    elif step == "networks":
        yield Place(folder.out / "models", NETWORKS)
    elif step == "cases":
        yield Place(folder.out / "tables" / "volumes.zarr", CASES)
        yield Place(folder.out / "index", INDEX)
        yield Place(folder.out / "index", r"index\.json")
    elif step in ("page", "review"):
        yield Place(folder.report)
        for name in COHORT_PICTURES:
            yield Place(folder.out / "maps" / f"{name}.png")


MODELS = {
    "autoencoder": ("autoencoder.safetensors", "autoencoder.json"),
    "heads": ("head.safetensors", "head.json", "validity.json"),
    "tune": ("clusterer.safetensors", "clusterer.json"),
    "number": ("clusters.json",),
    "judge": ("evaluation.json",),
}
"""Step -> its files in models/."""


def clear(folder: Folder, steps: Iterable[str], slides: Iterable[str]) -> None:
    """Remove what steps to be redone had left, and nothing else: sizes may differ, and old shards must not linger."""
    steps = list(steps)
    for slide in slides:
        for step in steps:
            for place in of_slide(folder, step, slide):
                place.clear()
    for step in steps:
        for place in of_cohort(folder, step):
            place.clear()
        _clear_receipts(folder.out / "receipts" / step)


def forget_slides(folder: Folder, slides: Iterable[str], steps: Iterable[str]) -> None:
    """Remove all that a run had made of slides that were changed or taken away, their receipts included."""
    steps = list(steps)
    for slide in slides:
        for step in steps:
            for place in of_slide(folder, step, slide):
                place.clear()
            _clear_receipts(folder.out / "receipts" / step, f"{slide}/")


def refuse_foreign(folder: Folder, steps: Iterable[str], slides: Iterable[str], *, first: bool) -> None:
    """Raises SettingsError (E_FOREIGN) where a file lies that would be written over: by `steps` on slides that are new to
    the run, and where the run is itself the `first` in this folder, by its work on all of them together."""
    steps = list(steps)
    if first:
        _refuse_documents(folder)
        for step in steps:
            _refuse(folder, of_cohort(folder, step))
    if (folder.out / folder.images).is_dir() or (folder.out / "maps").is_dir():
        for slide in slides:
            for step in steps:
                _refuse(folder, of_slide(folder, step, slide))


def _refuse_documents(folder: Folder) -> None:
    """Documents that a run was killed over while it began are ours, and known by what is in them."""
    _refuse(folder, [Place(folder.out / "run.json"), Place(folder.out / "quarantined.json")])
    for name in ("slides", "rejected"):
        path = folder.out / f"{name}.json"
        try:
            value = read_json(path)
        except FileNotFoundError:
            continue
        except CorruptError:
            value = None
        if not (isinstance(value, dict) and all(isinstance(v, dict) and "fingerprint" in v for v in value.values())):
            _refuse(folder, [Place(path)])


def _refuse(folder: Folder, places: Iterable[Place]) -> None:
    for place in places:
        for path in place.held():
            raise SettingsError(
                f"{path} is there already, and it was not this run that wrote it: it would be overwritten. Nothing was "
                f"begun. Move it away, or choose another folder with --out (now {folder.out}).",
                "E_FOREIGN",
            )


def _clear_receipts(root: Path, below: str = "") -> None:
    prune(root / below, partial(_is_receipt, root, below))


def _is_receipt(root: Path, below: str, name: str) -> bool:
    return name.endswith(".json") and is_receipt(root / f"{below}{name}", f"{below}{name}".removesuffix(".json"))
