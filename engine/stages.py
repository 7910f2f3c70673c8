"""Stages: the order of a clustering run's steps, and what each leaves where. The one table that knows all of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..stores.folder import LABELS, Folder
from ..version import VERSION
from .job import SlideRecord, Step, digest
from .runs.apply import Labels, Number, Tiles
from .runs.convert import Overview, Pixels, Pyramid
from .runs.page import Page
from .runs.pictures import Pictures
from .runs.sample import Draw, Patches
from .runs.table import Table
from .runs.train import Codes, Heads, TrainAutoencoder, Tune
from .settings import Settings

STAGES: Mapping[str, tuple[Step, ...]] = {
    "convert": (Overview(), Pixels(), Pyramid()),
    "sample": (Draw(), Patches()),
    "train": (TrainAutoencoder(), Codes(), Heads(), Tune()),
    "apply": (Tiles(), Number(), Labels()),
    "map": (Table(), Pictures(), Page()),
}
"""Stage, as a user calls it -> its steps, in order."""

STEPS: Mapping[str, Step] = {step.name: step for steps in STAGES.values() for step in steps}

TITLES: Mapping[str, str] = {
    "overview": "overview",
    "pixels": "convert",
    "pyramid": "pyramid and tissue",
    "draw": "draw patches",
    "patches": "read patches",
    "autoencoder": "train autoencoder",
    "codes": "encode views",
    "heads": "train heads",
    "tune": "fine-tune",
    "tiles": "apply",
    "number": "number clusters",
    "labels": "write labels",
    "table": "table and UMAP",
    "pictures": "draw maps",
    "page": "report",
}
"""What a step is called where people watch it."""


def stage_of(step: str) -> str:
    return next(stage for stage, steps in STAGES.items() if any(s.name == step for s in steps))


def fingerprints(
    settings: Settings, spacing: float, slides: Iterable[SlideRecord], rejected: Mapping[str, str]
) -> dict[str, str]:
    """Step -> what decides its results: the settings it reads and everything before it.

    The steps of `convert` look at one slide each, so adding a slide leaves them as they are. Samples come from all slides
    that were not rejected until then (`rejected`: slide -> step that found it out), numbers from all that were applied.
    """
    out: dict[str, str] = {}
    before = digest("convert", spacing, VERSION)
    cohort = list(slides)
    for name, step in STEPS.items():
        if name in ("draw", "number"):
            here = [s for s in cohort if not rejects_before(rejected.get(s.id), name)]
            before = digest(before, [(s.key, s.group) for s in here])
        if name == "table":
            before = digest(before, [(s.id, s.told) for s in cohort])
        before = digest(name, before, {f: getattr(settings, f) for f in step.fields})
        out[name] = before
    return out


def rejects_before(found: str | None, step: str) -> bool:
    """Whether a slide that was rejected by the step `found` is missing when `step` begins."""
    order = ["open", *STEPS]
    return found is not None and order.index(found) < order.index(step)


def clear(folder: Folder, steps: Iterable[str], slides: Iterable[str]) -> None:
    """Remove what steps to be redone had left, and nothing else: sizes may differ, and old shards must not linger."""
    steps = set(steps)
    for slide in slides:
        if steps & {"overview", "pixels"}:
            _remove_store(folder.slide(slide))
        elif "tiles" in steps:
            for name in ("clusters", *FIELDS):
                _remove(folder.layer(slide, name))
        if "pictures" in steps:
            _remove_pictures(folder, slide)
    if steps & {"draw", "patches"}:
        _remove(folder.samples)
    for step in steps:
        _remove(folder.out / "receipts" / step)
    if "table" in steps:
        _remove(folder.table)
        _remove(folder.out / "shares.csv")
    if "page" in steps:
        _remove(folder.report)
        for name in COHORT_PICTURES:
            _remove(folder.out / "maps" / f"{name}.png")


def forget_slides(folder: Folder, slides: Iterable[str]) -> None:
    """Remove all that a run had made of slides that were changed or taken away, their receipts included."""
    for slide in slides:
        _remove_store(folder.slide(slide))
        _remove_pictures(folder, slide)
        for step in STEPS:
            _remove(folder.out / "receipts" / step / slide)


FIELDS = ("assignment", "confidence", "embedding")
"""Layers that `apply` leaves."""
COHORT_PICTURES = ("gallery", "umap", "k", "slides", "training")


def _remove_store(root: Path) -> None:
    """Levels, labels, layers and metadata of ours; what somebody else put into the store stays, and so does its folder."""
    levels = [path for path in root.glob("*") if path.name.isdecimal()]
    ours = [root / "labels" / name for name in LABELS] + [root / "layers" / name for name in FIELDS]
    for path in (*levels, *ours, *(root / part / "zarr.json" for part in ("labels", "layers", "."))):
        _remove(path)
    for path in (root / "labels", root / "layers", root):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _remove_pictures(folder: Folder, slide: str) -> None:
    for path in (folder.map(slide), folder.map(slide, "density"), folder.out / "maps" / f"{slide}.geojson"):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
