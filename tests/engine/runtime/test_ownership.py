"""Nothing in OUT that tile-engine did not write is ever removed or written over."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.api.commands import cluster
from tile_engine.engine.maintenance.repair import repair
from tile_engine.engine.pipeline.outputs import OwnedPath
from tile_engine.engine.runs import pipeline
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.engine.runtime.ownership import of_cohort, of_image
from tile_engine.engine.workers.placement import ClusterOptions
from tile_engine.errors import SettingsError
from tile_engine.stores.folder import Folder
from tile_engine.stores.ours import named

HERE = ClusterOptions(cluster="none")
PLACES = (
    "",
    "slides",
    "slides/{slide}.ome.zarr",
    "slides/{slide}.ome.zarr/0",
    "slides/{slide}.ome.zarr/0/c/0",
    "slides/{slide}.ome.zarr/labels",
    "slides/{slide}.ome.zarr/labels/clusters",
    "slides/{slide}.ome.zarr/labels/tissue/0",
    "slides/{slide}.ome.zarr/layers",
    "slides/{slide}.ome.zarr/layers/embedding/0/c",
    "models",
    "maps",
    "maps/density",
    "receipts",
    "receipts/pixels",
    "receipts/tiles/{slide}",
    "samples.zarr",
    "samples.zarr/patches",
    "tables",
    "tables/tiles.zarr",
    "tables/tiles.zarr/obs",
)
"""Folders of a run in which somebody may put something."""
NAMES = (
    "notes.txt",
    "notes.json",
    ".hidden",
    ".mine.partial",
    "mine/x",
    "mine/zarr.json",
    "mine/0/c/0/0",
    "cells/zarr.json",
    "x.png",
)


def planted(out: Path, seed: int, count: int = 40) -> dict[Path, bytes]:
    """Files in places that are drawn, and the bytes that they hold; empty folders stand as b""."""
    draw = random.Random(seed)
    slides = [p.name.removesuffix(".ome.zarr") for p in sorted((out / "slides").iterdir())]
    files: dict[Path, bytes] = {}
    for _ in range(count):
        place = draw.choice(PLACES).format(slide=draw.choice(slides))
        name = draw.choice(NAMES)
        if place == "tables/tiles.zarr/obs" and name.endswith("zarr.json"):
            continue  # a column of that name, as one of the user's list may have
        path = out / place / name
        files[path] = draw.randbytes(20)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[path])
    return files


def survive(files: dict[Path, bytes]) -> None:
    gone = [str(path) for path, data in files.items() if not path.exists() or path.read_bytes() != data]
    assert not gone


@pytest.fixture
def run(mini: Any, tmp_path: Path) -> tuple[Path, Path]:
    """Slides, and a finished run of them that may be changed."""
    slides, out = Path(shutil.copytree(mini.slides, tmp_path / "slides")), Path(mini.copy(tmp_path / "out"))
    for name in ("slides.json", "run.json"):
        (out / name).write_text((out / name).read_text().replace(str(mini.slides), str(slides)))
    return slides, out


@pytest.mark.parametrize(
    ("seed", "changed", "stages"),
    [(1, {"k": 3}, ("train", "apply", "map")), (2, {"patch": 48}, ("sample",)), (3, {"codec": "lz4"}, ("convert",))],
)
def test_a_redo_with_another_setting_keeps_what_is_not_ours(
    mini: Any, run: tuple[Path, Path], seed: int, changed: dict[str, Any], stages: tuple[str, ...]
) -> None:
    """Everything that depends on the setting is removed, whichever stages are then done."""
    slides, out = run
    files = planted(out, seed)
    cluster(slides, out, options=RunOptions(cluster=HERE, redo=True, stages=stages), **{**mini.settings, **changed})
    survive(files)


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_a_slide_that_is_taken_away_takes_only_what_was_made_of_it(
    mini: Any, run: tuple[Path, Path], seed: int
) -> None:
    slides, out = run
    files = planted(out, seed)
    (slides / "b.tif").unlink()
    assert (
        len(
            cluster(
                slides, out, options=RunOptions(cluster=HERE, redo=True, stages=("convert",)), **mini.settings
            ).slides
        )
        == 2
    )
    survive(files)
    left = {p for p in next(out.glob("slides/b-*"), out / "none").rglob("*") if p.is_file()}
    assert left <= files.keys()
    assert {p for p in out.glob("maps/**/b-*") if p.is_file()} <= files.keys()


def test_without_foreign_files_a_slide_that_is_taken_away_leaves_nothing(mini: Any, run: tuple[Path, Path]) -> None:
    slides, out = run
    (slides / "b.tif").unlink()
    cluster(slides, out, options=RunOptions(cluster=HERE, redo=True, stages=("convert",)), **mini.settings)
    assert not list(out.rglob("b-*"))


def test_a_repair_and_the_same_command_again_keep_what_is_not_ours(mini: Any, run: tuple[Path, Path]) -> None:
    slides, out = run
    files = planted(out, 7)
    for pattern in ("slides/a-*/0/c/0/0/0", "tables/tiles.zarr/X/c/0/0", "samples.zarr/place/c/0/0"):
        next(out.glob(pattern)).write_bytes(b"")
    assert repair(out, options=RunOptions(cluster=HERE)).units == 3
    survive(files)
    cluster(slides, out, options=RunOptions(cluster=HERE), **mini.settings)
    survive(files)


def test_what_a_step_leaves_is_known_by_its_name(mini: Any) -> None:
    """A file that a receipt names and no place describes would stay behind in a redo."""
    folder = Folder(mini.out)
    slides = list(json.loads((mini.out / "slides.json").read_text()))
    steps = pipeline("cluster", "slides").steps.values()
    places = [p for step in steps for slide in slides for p in of_image(folder, step, slide)]
    places += [p for step in steps for p in of_cohort(folder, step)]
    receipts = [json.loads(p.read_text()) for p in (mini.out / "receipts").rglob("*.json")]
    unknown = [
        path
        for receipt in receipts
        for path, _, _ in receipt["files"]
        if not any(_is_in(mini.out / path, p) for p in places)
    ]
    assert receipts and not unknown


def _is_in(path: Path, place: OwnedPath) -> bool:
    if path == place.root:
        return not place.names
    return path.is_relative_to(place.root) and named(place.names)(path.relative_to(place.root).as_posix())


def test_a_folder_with_other_things_in_it_can_be_used(mini: Any, tmp_path: Path) -> None:
    (tmp_path / "out" / "slides" / "mine").mkdir(parents=True)
    files = {tmp_path / "out" / "thesis.txt": b"mine", tmp_path / "out" / "slides" / "mine" / "a.txt": b"too"}
    for path, data in files.items():
        path.write_bytes(data)
    done = cluster(
        mini.slides, tmp_path / "out", options=RunOptions(cluster=HERE, stages=("convert",)), **mini.settings
    )
    assert len(done.slides) == 3
    survive(files)


@pytest.mark.parametrize(
    "name",
    [
        "report.html",
        "shares.csv",
        "run.json",
        "slides.json",
        "rejected.json",
        "slides/{slide}.ome.zarr/zarr.json",
        "slides/{slide}.ome.zarr/0/c/0/0/0",
        "maps/{slide}.png",
        "models/head.json",
        "quarantined.json",
        "samples.zarr/zarr.json",
        "tables/tiles.zarr/X/c/0/0",
    ],
)
def test_a_foreign_file_where_a_first_run_would_write_is_refused_before_work(
    mini: Any, tmp_path: Path, name: str
) -> None:
    slide = next(iter(json.loads((mini.out / "slides.json").read_text())))
    path = tmp_path / "out" / name.format(slide=slide)
    path.parent.mkdir(parents=True)
    path.write_text('{"mine": 1}')
    with pytest.raises(SettingsError, match=path.name) as caught:
        cluster(mini.slides, tmp_path / "out", options=RunOptions(cluster=HERE), **mini.settings)
    assert caught.value.code == "E_FOREIGN"
    assert {p for p in (tmp_path / "out").rglob("*") if p.is_file()} - {tmp_path / "out" / "log.txt"} == {path}
    assert path.read_text() == '{"mine": 1}'


def test_a_run_that_was_killed_while_it_began_is_no_foreigner(mini: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("slides.json", "rejected.json"):
        shutil.copy(mini.out / name, out)
    assert (
        len(cluster(mini.slides, out, options=RunOptions(cluster=HERE, stages=("convert",)), **mini.settings).slides)
        == 3
    )
