"""What decides which step is stale, and what a redo removes."""

from dataclasses import replace
from pathlib import Path

import pytest

from tile_engine.engine.pipeline.fingerprints import fingerprints
from tile_engine.engine.pipeline.record import ImageRecord
from tile_engine.engine.runs import pipeline
from tile_engine.engine.runs.cluster.settings import ClusterSettings
from tile_engine.engine.runtime.output_folder import check_outside, default_out
from tile_engine.engine.runtime.ownership import clear, forget_images
from tile_engine.errors import SettingsError
from tile_engine.stores.folder import Folder

SLIDE = ImageRecord(
    id="a-1",
    name="a.tif",
    path="/slides/a.tif",
    fingerprint="f",
    mpp=None,
    subject="",
    site="",
    columns={},
    reader="tiff",
    native_spacing=0.5,
    native_shape=(9, 9),
    channels=3,
    dtype="uint8",
    background=255,
    shape=(9, 9),
    spacing=(0.5, 0.5),
)
CLUSTER_SLIDES = pipeline("cluster", "slides")
OTHER = replace(SLIDE, id="b-2", name="b.tif", fingerprint="g")


def changed(settings=None, slides=(SLIDE, OTHER), rejected=None):
    """Steps whose fingerprint differs from that of the plain run of two slides."""
    plain = fingerprints(CLUSTER_SLIDES, ClusterSettings(), 0.5, (SLIDE, OTHER), {})
    other = fingerprints(CLUSTER_SLIDES, settings or ClusterSettings(), 0.5, slides, rejected or {})
    return [step for step in CLUSTER_SLIDES.steps if plain[step] != other[step]]


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({"codec": "lz4"}, "overview"),
        ({"max_bad_tiles": 0.2}, "pyramid"),
        ({"patch": 64, "stride": 64}, "draw"),
        ({"effort": 2.0}, "autoencoder"),
        ({"k": 5}, "number"),
        ({"objective": "imsat"}, "view_embeddings"),
        ({"stride": 32}, "tiles"),
        ({"umap": False}, "layout"),
        ({"level": 5}, "labels"),
        ({"classes": ((1, "stroma", "", 0),)}, "labels"),
    ],
)
def test_a_setting_makes_stale_what_reads_it_and_all_after(settings, first):
    assert changed(ClusterSettings(**settings)) == list(CLUSTER_SLIDES.steps)[list(CLUSTER_SLIDES.steps).index(first) :]


def test_a_stride_that_says_the_default_changes_nothing():
    assert changed(ClusterSettings(stride=64)) == []


def test_a_group_changes_the_samples_a_site_the_table_and_another_slide_the_cohort():
    assert changed(slides=(replace(SLIDE, subject="x"), OTHER))[0] == "normalize"
    assert changed(slides=(replace(SLIDE, site="x"), OTHER))[0] == "table"
    assert changed(slides=(SLIDE,))[0] == "normalize"


def test_a_late_rejection_leaves_the_samples():
    assert changed(rejected={"b-2": "pyramid"})[0] == "normalize"
    assert changed(rejected={"b-2": "tiles"})[0] == "order_clusters"


def test_clearing_removes_what_the_steps_left_and_nothing_else(tmp_path: Path):
    folder = Folder(tmp_path)
    files = [
        "slides/a-1.ome.zarr/layers/zarr.json",
        "slides/a-1.ome.zarr/layers/embedding/0/c/0/1",
        "maps/a-1.png",
        "shares.csv",
    ]
    files += [
        "slides/a-1.ome.zarr/labels/clusters/zarr.json",
        "slides/a-1.ome.zarr/labels/tissue/0/zarr.json",
        "mine.txt",
        "report.html",
    ]
    files += ["maps/notes.png", "slides/a-1.ome.zarr/labels/mine/x", "slides/a-1.ome.zarr/0/c/0"]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    stale = [CLUSTER_SLIDES.steps[name] for name in ("tiles", "layers", "labels", "table", "pictures", "report")]
    clear(folder, stale, ["a-1"], kept=[step for step in CLUSTER_SLIDES.steps.values() if step not in stale])
    left = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    theirs = {"mine.txt", "maps/notes.png", "slides/a-1.ome.zarr/labels/mine/x"}
    store = {"layers/zarr.json", "labels/tissue/0/zarr.json", "0/c/0"}
    assert left == theirs | {f"slides/a-1.ome.zarr/{name}" for name in store}
    forget_images(folder, ["a-1"], CLUSTER_SLIDES.steps.values())
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()} == theirs


def test_the_stores_of_a_run_cannot_be_its_input(tmp_path: Path):
    (tmp_path / "slides").mkdir()
    with pytest.raises(SettingsError, match="keeps its own stores"):
        check_outside(tmp_path, tmp_path / "slides", [])


@pytest.mark.parametrize("given", [".", "sub/a.tif"])
def test_a_folder_that_holds_slides_is_none_for_results(tmp_path: Path, given: str):
    """However they were named: by a folder in it, or one by one, as a shell names those of a glob."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.tif").touch()
    named = [tmp_path / given]
    with pytest.raises(
        SettingsError, match=r"lies inside the input folder|the input itself|holds input itself"
    ) as caught:
        check_outside(tmp_path, named, [tmp_path / "sub" / "a.tif"])
    with pytest.raises(SettingsError, match=r"holds input itself \(a\.tif\)|lies inside the input folder"):
        check_outside(tmp_path / "sub", named, [tmp_path / "sub" / "a.tif"])
    assert caught.value.code == "E_OUT"
    check_outside(tmp_path.parent / "out", named, [tmp_path / "sub" / "a.tif"])


def test_the_default_folder_is_named_after_what_is_before_a_glob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    work = tmp_path / "work"
    (tmp_path / "cohort").mkdir()
    work.mkdir()
    monkeypatch.chdir(work)
    assert default_out(str(tmp_path / "cohort" / "**" / "*.svs")) == work / "cohort-tiles"
    assert default_out("..").name == f"{tmp_path.name}-tiles"
