"""Documents of a run: what is read is what was written, and nothing else passes for it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tile_engine
from tile_engine.engine.api.commands import cluster
from tile_engine.engine.api.running import resume
from tile_engine.engine.maintenance.repair import repair
from tile_engine.engine.maintenance.status import status
from tile_engine.engine.maintenance.verify import verify
from tile_engine.engine.pipeline import documents, image_documents
from tile_engine.engine.pipeline.documents import CacheRecord, RunDocument, StepRecord
from tile_engine.engine.pipeline.record import ImageRecord, QuarantinedTile, Rejection
from tile_engine.engine.runs.embed.documents import Evaluation, Figure, FoldSize
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.errors import CorruptError, SettingsError
from tile_engine.stores.folder import Folder

RUN = RunDocument(
    tile_engine="0.1.0",
    status="running",
    command="cluster",
    variant="slides",
    input="/slides",
    settings={"threads": 3, "k": [2, 4]},
    spacing=0.5,
    ignored=(("notes.txt", "no image"),),
    cache=CacheRecord(folder=None, limit=None),
    fingerprints={"overview": "a", "pixels": "b"},
    steps={"overview": StepRecord(fingerprint="a", status="complete", seconds={"read": 0.25}, wall=1.5)},
    versions={"numpy": "2.0"},
)
IMAGE = ImageRecord(
    id="a-1",
    name="a.tif",
    path="/slides/a.tif",
    fingerprint="f",
    mpp=None,
    subject="p1",
    site="Ulm",
    columns={"age": "7"},
    reader="tiff",
    native_spacing=0.25,
    native_shape=(18, 18),
    channels=3,
    dtype="uint8",
    background=255,
    shape=(9, 9),
    spacing=(0.5, 0.5),
)


def changed(path: Path, change: Callable[[Any], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    folder, images = Folder(tmp_path), {"a-1": IMAGE, "b-2": replace(IMAGE, id="b-2", mpp=0.5, subimage="t=1")}
    rejected = {"c-3": Rejection("c.tif", "E_NO_MPP", "it states no pixel size")}
    tiles = {"a-1": (QuarantinedTile(0, (0, 0), (4, 4)), QuarantinedTile(1, (0, 0), (2, 2)))}
    documents.write_run(folder, RUN)
    image_documents.write_images(folder, images)
    image_documents.write_rejected(folder, rejected)
    image_documents.write_quarantined(folder, tiles)
    assert documents.read_run(folder) == RUN
    assert image_documents.read_images(folder) == images
    assert image_documents.read_rejected(folder) == rejected
    assert image_documents.read_quarantined(folder) == tiles
    assert image_documents.rejected_rows(folder) == [("c.tif", "E_NO_MPP", "it states no pixel size")]
    assert json.loads((tmp_path / "run.json").read_text())["schema_version"] == documents.SCHEMA_VERSION


def test_a_run_knows_which_steps_are_complete() -> None:
    later = RUN.with_step("pixels", StepRecord(fingerprint="b", status="running", seconds={}, wall=0.0))
    assert RUN.is_complete(["overview"]) and not RUN.is_complete(["overview", "pixels"])
    assert list(later.steps) == ["overview", "pixels"] and not later.is_complete(later.steps)
    assert RUN.common.threads == 3 and RUN.common.seed == 0


def test_what_is_no_finite_number_is_none(tmp_path: Path) -> None:
    figure = Figure(mean=np.float64(0.5), sd=float("nan"), low=np.float32("inf"), high=None, folds=(1, float("-inf")))
    assert figure == Figure(mean=0.5, sd=None, low=None, high=None, folds=(1, None))
    one = {"onga": {"rmse %": figure}}
    written = Evaluation(
        folds={"all": FoldSize(trained=2, judged=2)}, by_subject=False, why="", classes={}, subjects=2, methods=one
    )
    folder = Folder(tmp_path)
    folder.write("models/evaluation", written.model_dump(mode="json"))
    assert documents.read_document(folder, "models/evaluation", Evaluation) == written
    assert '"folds": [\n     1,\n     null\n    ]' in (tmp_path / "models" / "evaluation.json").read_text()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("run", lambda run: run.update(images="../mine"), r"images = '\.\./mine'"),
        ("run", lambda run: run.pop("spacing"), "spacing is missing"),
        ("run", lambda run: run["steps"]["overview"].update(status="lost"), "steps.overview.status = 'lost'"),
        ("slides", lambda images: images["a-1"].update(extra={}), r"a-1.extra = \{\}"),
        ("slides", lambda images: images["a-1"].pop("shape"), "a-1.shape is missing"),
        ("slides", lambda images: images["a-1"].update(channels="many"), "a-1.channels = 'many'"),
        ("rejected", lambda rejected: rejected.update({"a-1": {}}), "a-1.name is missing"),
        ("quarantined", lambda tiles: tiles.update({"a-1": [{"level": 0}]}), "a-1.0.start is missing"),
    ],
)
def test_a_changed_document_is_corrupt_and_its_problem_named(
    tmp_path: Path, name: str, change: Callable[[Any], object], said: str
) -> None:
    folder = Folder(tmp_path)
    documents.write_run(folder, RUN)
    image_documents.write_images(folder, {"a-1": IMAGE})
    image_documents.write_rejected(folder, {})
    image_documents.write_quarantined(folder, {})
    changed(tmp_path / f"{name}.json", change)
    readers = {
        "run": documents.read_run,
        "slides": image_documents.read_images,
        "rejected": image_documents.read_rejected,
        "quarantined": image_documents.read_quarantined,
    }
    with pytest.raises(CorruptError, match=rf"{name}\.json .*{said}"):
        readers[name](folder)


def test_a_document_that_must_be_there_is_missed(tmp_path: Path) -> None:
    assert documents.find_document(Folder(tmp_path), "models/evaluation", Evaluation) is None
    with pytest.raises(CorruptError, match=r"models/evaluation\.json is missing"):
        documents.read_document(Folder(tmp_path), "models/evaluation", Evaluation)


HERE = RunOptions()
ENTRIES: dict[str, Callable[[Path], object]] = {
    "start": lambda out: cluster(out.parent / "slides", out, options=HERE),
    "start anew": lambda out: cluster(out.parent / "slides", out, options=RunOptions(redo=True), seed=7),
    "resume": lambda out: resume(out, options=HERE),
    "open": tile_engine.open_run,
    "status": status,
    "verify": verify,
    "repair": lambda out: repair(out, options=HERE),
    "search": lambda out: tile_engine.search(out, "a-1"),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(("version", "code"), [(None, "E_OLD_RUN"), (1, "E_OLD_RUN"), (3, "E_NEW_RUN")])
def test_a_run_of_another_version_is_refused_and_not_touched(
    tmp_path: Path, entry: str, version: int | None, code: str
) -> None:
    """By whatever reads the folder: documents of that version mean other things."""
    out = tmp_path / "out"
    (tmp_path / "slides").mkdir()
    documents.write_run(Folder(out), RUN)
    changed(out / "run.json", lambda run: run.update(schema_version=version) if version else run.pop("schema_version"))
    before = (out / "run.json").read_bytes()
    with pytest.raises(SettingsError, match="Nothing was touched") as caught:
        ENTRIES[entry](out)
    assert caught.value.code == code and str(out) in caught.value.message and "--out" in caught.value.message
    assert [p.name for p in out.iterdir()] == ["run.json"] and (out / "run.json").read_bytes() == before


def test_a_run_json_of_somebody_else_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"name": "mine"}')
    assert documents.find_run(Folder(tmp_path)) is None
    with pytest.raises(SettingsError, match="holds no run") as caught:
        documents.read_run(Folder(tmp_path))
    assert caught.value.code == "E_NO_RUN"
