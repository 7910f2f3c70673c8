"""overview: the runs of a folder and their images as JSON values, which the page is built from."""

from __future__ import annotations

from typing import Any

from ...errors import TileEngineError
from ...stores.ours import IMAGE_KEYS
from ..pipeline.documents import read_run
from ..pipeline.image_documents import read_rejected
from ..pipeline.job import Job
from ..pipeline.outputs import STORE
from ..search.rows import subject_of
from .cloud import table_of_cases
from .deep import Deep
from .films import has_films
from .means import has_means
from .viewed import extent, first_of, orientation
from .viewer import Viewer


def overview(viewer: Viewer) -> dict[str, Any]:
    """All runs, without what only one image has."""
    runs = [_run_or_why(viewer, run) for run in range(len(viewer.runs))]
    return {"folder": viewer.out.name, "read_only": viewer.read_only, "runs": runs}


def _run_or_why(viewer: Viewer, run: int) -> dict[str, Any]:
    """A run, or why it cannot be shown: the others are."""
    try:
        return _run(viewer, run)
    except TileEngineError as error:
        facts = {"name": viewer.runs[run].name, "error": error.message, "status": "", "rejected": 0}
        nothing = {
            "noun": "image",
            "plural": "images",
            "axes": ["y", "x"],
            "images": [],
            "films": False,
            "table": False,
            "cases": "",
            "whole": False,
            "similar": False,
            "means": False,
            "maps": False,
        }
        return facts | nothing | {"tree": None}


def _run(viewer: Viewer, run: int) -> dict[str, Any]:
    job, tree = viewer.job(run), viewer.tree(run)
    films = has_films(job)
    table = table_of_cases(job)
    return {
        "name": viewer.runs[run].name,
        "error": "",
        "noun": job.modality.noun,
        "plural": job.modality.plural,
        "axes": list(job.modality.axes),
        "status": read_run(job.folder).status,
        "saving": run in viewer.pending,
        "rejected": len(read_rejected(job.folder)),
        "films": films,
        "images": []
        if films
        else [{"name": record.name, "subject": subject_of(record)} for record in job.slides.values()],
        "tree": tree.document() if tree else None,
        "table": table is not None and not films,
        "cases": table.noun if table else "",
        "whole": table is not None and table.is_whole,
        "similar": table is not None and table.has_embedding,
        "means": has_means(job),
        "maps": has_maps(job),
    }


def has_maps(job: Job[Any]) -> bool:
    """Whether the run maps something over its images, though maybe not over all of them."""
    outputs = [output for step in job.pipeline.steps.values() for output in step.outputs]
    return any(output.path.startswith(f"{STORE}/layers/") and output.names == IMAGE_KEYS for output in outputs)


def image_document(viewer: Viewer, run: int, image: int) -> dict[str, Any]:
    """Pictures and overlays of an image, and which side of a volume is which, where its file states it."""
    job, name = viewer.job(run), viewer.image(run, image)
    tree = viewer.tree(run)
    record = job.slides[name]
    overlays = []
    for number, ref in enumerate(viewer.overlays(run, image)):
        try:
            grid = viewer.grid(run, image, number)
        except TileEngineError:  # damaged: `verify` names it; the others are shown
            continue
        facts = {"number": number, "name": ref.name, "kind": ref.kind, "shape": list(grid.frame.shape)}
        overlays.append(facts | extent(grid.frame) | {"low": grid.low, "high": grid.high})
    pictures, lost, missing = [], [], []
    for number, picture in enumerate(viewer.pictures(run, image)):
        try:
            deep = viewer.deep(run, image, number)
        except TileEngineError as error:
            lost.append(picture.name)
            missing.append(f"{picture.name}: {error.message}")
            continue
        if len(deep.frame.shape) == 2 and not all(map(deep.has_tiles, range(deep.reductions))):
            missing.append(f"{picture.name}: the file has no coarse level: zoom in to see it.")
        pictures.append({"number": number, "name": picture.name, "version": picture.is_version, **_picture(deep)})
    if not pictures:  # overlays are shown alone
        pictures.append(
            {"number": -1, "name": record.name, "version": False, "shape": list(record.shape), **extent(record.frame)}
        )
    tiles = tree.tiles.get(name) if tree else None
    facts = {
        "first_overlay": _first_overlay(viewer, run, image, overlays, pictures),
        "missing": " ".join(missing),
        "lost": lost,
        "tiles": tiles,
    }
    if not job.modality.planar:
        assumed = list(record.assumed_orientation)
        facts |= {"marks": [] if assumed else orientation(record.affine), "assumed": assumed}
    return {"name": record.name, "pictures": pictures, "overlays": overlays, **facts}


def _first_overlay(
    viewer: Viewer, run: int, image: int, overlays: list[dict[str, Any]], pictures: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """What lies over an image until something else is chosen; of a block with nothing found on it, its second stain."""
    shown = [one["number"] for one in overlays]
    refs = viewer.overlays(run, image)
    first = first_of([refs[number] for number in shown])
    if first is not None:
        return {"kind": "overlays", "number": shown[first]}
    stains = [one["number"] for one in pictures if not one["version"]]
    return {"kind": "pictures", "number": stains[1]} if len(stains) > 1 else None


def _picture(deep: Deep) -> dict[str, Any]:
    return {"shape": list(deep.frame.shape), **extent(deep.frame)}
