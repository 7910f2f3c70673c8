"""reads: what is done with a mutated file: all that the engine's public readers do with a file of that kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tile_engine.engine.images.opening import unlikely_extent
from tile_engine.engine.maintenance.status import owner_of, status
from tile_engine.engine.maintenance.verify import verify
from tile_engine.engine.pipeline.documents import find_stain_runs, read_run
from tile_engine.engine.runtime.load import load
from tile_engine.engine.workers.placement import ClusterOptions
from tile_engine.errors import TileEngineError
from tile_engine.stores.cases import read_added, read_index
from tile_engine.stores.folder import Folder
from tile_engine.stores.frame import Box, Frame
from tile_engine.stores.image import StoredImage, labels_listed
from tile_engine.stores.lock import Lock
from tile_engine.stores.receipts import Ledger
from tile_engine.stores.slides.cohort import find_slides
from tile_engine.stores.slides.file_marks import fingerprint
from tile_engine.stores.slides.input_kind import SLIDE_INPUT
from tile_engine.stores.slides.manifest import read_manifest
from tile_engine.stores.slides.outside_mask import check_outside_mask, read_outside_mask
from tile_engine.stores.slides.reader import open_slide, probe
from tile_engine.stores.tables import read_table
from tile_engine.stores.volumes.cohort import find_volumes
from tile_engine.stores.volumes.participants import read_participants
from tile_engine.stores.volumes.reader import open_volume

WHOLE_CELLS = 2**20
"""Cells of a level that is read as a whole; of larger ones three blocks are read."""
BLOCK_CELLS = 128
MAX_PARTS = 3
"""Images of one file that are opened."""


def read_slide(path: Path) -> str:
    """Find, describe, open and read a slide; returns the code of the last error that only costs tiles."""
    last = _code(lambda: find_slides(path)) or _code(lambda: probe(path))
    fingerprint(path)
    with open_slide(path, 0.5) as slide:
        str((slide.notes, slide.corner, slide.spacing_source)).encode()
        unlikely_extent(slide.frames[0].shape, 0.5)
        for level, frame in enumerate(slide.frames):
            for box in _boxes(frame):
                last = _code(lambda box=box, level=level: slide.read(box, level)) or last
                slide.absent(box, level)
    return last


def read_volume(path: Path) -> str:
    """Find the volumes of a file or folder, open and read them."""
    entries = find_volumes(path).entries
    last = ""
    for entry in entries[:MAX_PARTS]:
        fingerprint(entry.path)
        last = _code(lambda entry=entry: _one_volume(entry.path, entry.part)) or last
    return last


def _one_volume(path: Path, part: str) -> None:
    with open_volume(path, part) as volume:
        str((volume.notes, volume.affine, volume.placement, volume.labels)).encode()
        for level, frame in enumerate(volume.frames):
            for box in _boxes(frame):
                volume.read(box, level)


def read_slide_list(path: Path) -> str:
    str(read_manifest(path, SLIDE_INPUT)).encode("utf-8", "surrogateescape")
    str(find_slides(path)).encode("utf-8", "surrogateescape")
    return ""


def read_participant_list(path: Path) -> str:
    read_participants(path, [("sub-01", ""), ("sub-02", ""), ("sub-03", "")], "T1w")
    return ""


def read_mask(path: Path) -> str:
    check_outside_mask(path, (400, 500))
    read_outside_mask(path, (400, 500), (40, 50))
    return ""


def read_run_folder(out: Path) -> str:
    """Everything that commands on a finished run read of it; one damaged document does not keep the others from being read."""
    return next((code for code in map(_code, _readings(out)) if code), "")


def _readings(out: Path) -> Iterator[Callable[[], Any]]:
    folder = Folder(out)
    yield lambda: read_run(folder).common
    yield lambda: find_stain_runs(folder)
    yield lambda: owner_of(folder)
    yield lambda: status(out)
    yield lambda: verify(out, full=True, cluster=ClusterOptions(cluster="none"))
    yield lambda: _take_lock(out)
    yield lambda: [
        Ledger(out, path.name, "x").find(one.stem)
        for path in (out / "receipts").iterdir()
        for one in path.rglob("*.json")
    ]
    yield lambda: read_index(out / "index", "x")
    yield lambda: read_added(out / "index")
    for table in sorted((out / "tables").glob("*.zarr")):
        yield lambda table=table: read_table(table)
    for store in sorted((out / "slides").glob("*.ome.zarr")):
        for image in (store, *sorted(store.glob("labels/*/")), *sorted(store.glob("layers/*/"))):
            yield lambda image=image: _stored(image)
        yield lambda store=store: labels_listed(store)
    yield lambda: _models(out)


def _models(out: Path) -> None:
    from tile_engine.engine.pipeline.documents import read_document
    from tile_engine.engine.runs.cluster.documents import (
        CLUSTERS,
        VALIDITY,
        ClustererRecord,
        Clusters,
        HeadRecord,
        Validity,
    )
    from tile_engine.engine.steps.checkpoints import find_record
    from tile_engine.models.training.checkpoint import load_checkpoint

    job = load(out)
    for name, model in ((VALIDITY, Validity), (CLUSTERS, Clusters)):
        _code(lambda name=name, model=model: read_document(job.folder, name, model))
    for name, record in (("head", HeadRecord), ("clusterer", ClustererRecord)):
        found = find_record(job, name, record)
        load_checkpoint(job.folder.model(name), found.sha256 if found else None)


def _take_lock(out: Path) -> None:
    with Lock(out, force=True):
        pass


def _stored(path: Path) -> None:
    image = StoredImage.open(path)
    for level, frame in enumerate(image.frames):
        for box in _boxes(frame):
            image.read(box, level)


def _code(act: Callable[[], object]) -> str:
    """The code of the error of ours that `act` raises; empty where it raises none."""
    try:
        act()
    except TileEngineError as error:
        error.message.encode()
        return f"{error.code}: {error.message}"
    return ""


def _boxes(frame: Frame) -> Iterator[Box]:
    if frame.box.size <= WHOLE_CELLS:
        yield frame.box
        return
    for place in itertools.islice((0.0, 0.5, 1.0), 3):
        start = tuple(int(place * max(n - BLOCK_CELLS, 0)) for n in frame.shape)
        yield Box(start, tuple(min(a + BLOCK_CELLS, n) for a, n in zip(start, frame.shape, strict=True)))
