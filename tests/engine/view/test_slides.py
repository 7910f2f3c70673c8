"""What the page gets of a run on slides is what the run holds: pixels, clusters of every level, tiles, neighbours."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from view_client import Client, client_of

import tile_engine
from tile_engine.engine.pipeline.documents import StainRun, StainRuns, write_stain_runs
from tile_engine.engine.runs.cluster.shown import shown_clusters
from tile_engine.engine.runtime.load import load
from tile_engine.engine.search.search import search
from tile_engine.engine.view import deep as deep_module
from tile_engine.engine.view import grid as grid_module
from tile_engine.engine.view import points
from tile_engine.engine.view.answers import Query
from tile_engine.engine.view.deep import TILE, Deep
from tile_engine.engine.view.overview import image_document
from tile_engine.engine.view.viewer import Viewer, open_viewer
from tile_engine.errors import SettingsError, SlideError
from tile_engine.stores.files import crc32
from tile_engine.stores.folder import Folder
from tile_engine.stores.image import StoredImage
from tile_engine.stores.memory import MemorySource


def pixels(content: bytes, mode: str = "RGB") -> Any:
    return np.asarray(Image.open(io.BytesIO(content)).convert(mode))


@pytest.fixture(scope="module")
def run(finished: Callable[..., Any]) -> Any:
    return tile_engine.open_run(finished("cluster", "slides").out)


def test_runs_and_images_are_listed(client: Client, run: Any) -> None:
    (shown,) = client.get("runs")["runs"]
    assert [image["name"] for image in shown["images"]] == ["a.tif", "b.tif", "c.tif"]
    assert (shown["maps"], shown["status"], shown["axes"]) == (True, "done", ["y", "x"])
    document = client.get("runs/0/images/1")
    assert document["pictures"][0]["shape"] == list(run.image(run.slides[1]).shape[1:])
    assert [(o["name"], o["kind"]) for o in document["overlays"]] == [
        ("clusters", "clusters"),
        ("tissue", "mask"),
        ("confidence", "values"),
    ]
    assert sum(document["tiles"]) == (run.tiles.obs["slide"] == run.slides[1]).sum()


@pytest.mark.parametrize("z", [0, 1])
def test_a_tile_is_the_level_of_the_pyramid(client: Client, run: Any, z: int) -> None:
    stored = run.image(run.slides[0], z).to_numpy().transpose(1, 2, 0)
    tile = pixels(client.bytes(f"runs/0/images/0/pictures/0/tile?z={z}&y=0&x=0"))
    assert tile.shape == stored.shape and np.abs(tile.astype(int) - stored).mean() < 6, "JPEG"


def test_clusters_of_every_level_lie_over_the_image(client: Client, run: Any) -> None:
    job = load(run.out)
    fine = StoredImage.open(job.folder.layer(run.slides[0], "assignment"))
    cells = fine.read(fine.frames[0].box)[0]
    for level in client.get("runs")["runs"][0]["tree"]["levels"]:
        settings = job.settings.model_copy(update={"level": int(level)})
        shown = shown_clusters(replace(job, settings=settings))
        tile = pixels(client.bytes(f"runs/0/images/0/overlays/0/tile?z=0&y=0&x=0&k={level}"), "RGBA")
        numbers = shown.number[cells]
        for number, colour in shown.colour_of.items():
            assert (tile[numbers == number] == (*colour, 255)).all()
        assert not tile[numbers == 0][:, 3].any()


def test_the_page_names_clusters_as_labels_do(client: Client, run: Any) -> None:
    tree = client.get("runs")["runs"][0]["tree"]
    level = tree["levels"][str(tree["shown"])]
    shown = run.tiles.obs
    assert (np.array(level["number"])[shown["assignment"]] == shown["cluster"].astype(int)).all()
    counts = np.bincount(np.array(level["number"])[shown["assignment"]], minlength=256)
    assert sum(tree["tiles"]) == len(shown) and counts[level["numbers"]].sum() == len(shown)


def test_clusters_that_are_switched_off_or_not_sure_are_clear(client: Client, run: Any) -> None:
    tile = "runs/0/images/0/overlays/0/tile?z=0&y=0&x=0"
    whole, k = pixels(client.bytes(tile), "RGBA")[..., 3], client.get("runs")["runs"][0]["tree"]["shown"]
    labels = run.layers("clusters")[run.slides[0]].to_numpy()
    hidden = pixels(client.bytes(f"{tile}&k={k}&hide=1"), "RGBA")[..., 3]
    assert ((hidden > 0) == (labels > 1)).all() and ((whole > 0) == (labels > 0)).all()
    confidence = run.layers("confidence")[run.slides[0]].to_numpy()[0]
    least = float(np.median(confidence[labels > 0]))
    sure = pixels(client.bytes(f"{tile}&min={least}"), "RGBA")[..., 3] > 0
    near = np.abs(confidence - least) < 1 / 254
    assert (sure == ((labels > 0) & (confidence >= least)))[~near].all() and (~sure & (labels > 0)).any()


def test_the_pointer_finds_what_the_table_says(client: Client, run: Any) -> None:
    rows = run.tiles.obs[run.tiles.obs["slide"] == run.slides[2]].iloc[::97]
    for _, row in rows.iterrows():
        found = client.get(f"runs/0/images/2/at?y={row.y_um}&x={row.x_um}")
        assert found["fine"] == row.assignment and found["tile"]["index"] == [row.row, row.column]
        assert found["values"]["confidence"] == pytest.approx(row.confidence, abs=0.005)
    assert client.get("runs/0/images/2/at?y=-5&x=1e9")["fine"] == 0


def test_similar_tiles_are_those_of_the_search(client: Client, run: Any) -> None:
    row = run.tiles.obs.iloc[10]
    hits = search(run.out, f"{row.slide}:{row.row}:{row.column}", k=4, save=False)  # other tests share the run
    found = client.get(f"runs/0/images/0/similar?y={row.y_um}&x={row.x_um}&k=4")
    assert found["query"]["centre"] == [row.y_um, row.x_um]
    assert [hit["distance"] for hit in found["hits"]] == [hit.distance for hit in hits.rows]
    assert [run.slides[hit["image"]] for hit in found["hits"]] == [hit.slide for hit in hits.rows]
    patch = pixels(client.bytes(f"runs/0/images/0/patch?y={row.y_um}&x={row.x_um}"))
    assert patch.shape == (32, 32, 3)


def test_of_two_sizes_of_patch_the_larger_is_shown(finished: Callable[..., Any]) -> None:
    blocks = tile_engine.open_run(finished("cluster", "sections").out)
    row = blocks.tiles.obs.iloc[0]
    with client_of(blocks.out) as client:
        patch = pixels(client.bytes(f"runs/0/images/0/patch?y={row.y_um}&x={row.x_um}"))
    assert patch.shape == (64, 64, 3)


def test_why_nothing_is_similar_is_said_in_words_of_the_page(
    client: Client, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = run.tiles.obs.iloc[10]
    tile = f"runs/0/images/0/similar?y={row.y_um}&x={row.x_um}"
    assert client.get("runs/0/images/0/similar?y=-5000&x=-5000")["none"] == points.NO_TISSUE

    def fail(*_: Any, **__: Any) -> None:
        raise SettingsError("--at 1,2 is nothing", "E_QUERY")

    monkeypatch.setattr(points, "search", fail)
    assert client.get(tile)["none"] == points.NOT_SAMPLED
    monkeypatch.setattr(points, "open_gallery", lambda *_, **__: SimpleNamespace(where=lambda *_: []))
    assert client.get(tile)["none"] == points.NO_ROWS


def test_a_damaged_overlay_leaves_the_others(finished: Callable[..., Any], tmp_path: Path) -> None:
    out = finished("cluster", "slides").copy(tmp_path / "out")
    job = load(out)
    (job.folder.layer(next(iter(job.slides)), "confidence") / "0" / "zarr.json").write_text("{}")
    viewer = open_viewer(out)
    assert [overlay["name"] for overlay in image_document(viewer, 0, 0)["overlays"]] == ["clusters", "tissue"]
    centre = Query({"y": "100", "x": "100"})
    assert json.loads(points.at(viewer, centre, 0, 0).content)["values"] == {}


def test_one_cell_and_a_thinned_grid_are_those_of_the_whole(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = open_viewer(run.out)
    for ref, whole in ((ref, viewer.grid(0, 0, i)) for i, ref in enumerate(viewer.overlays(0, 0))):
        if ref.kind == "mask":
            continue
        monkeypatch.setattr(grid_module, "MAX_CELLS", whole.cells.size // 3)
        thinned = grid_module.grid_of(ref)
        assert (thinned.cells == whole.cells[::2, ::2]).all() and thinned.frame.shape == thinned.cells.shape
        if ref.kind == "clusters":
            spots = [(float(whole.frame.centres(0)[i]), float(whole.frame.centres(1)[i])) for i in range(3, 8)]
            assert [grid_module.label_at(ref, s) for s in spots] == [whole.at(s) for s in spots]
            assert grid_module.label_at(ref, (-1.0, 1.0)) == 0


def test_nothing_is_written_by_looking(finished: Callable[..., Any], tmp_path: Path) -> None:
    out = finished("cluster", "slides").copy(tmp_path / "out")
    files = {path: crc32(path.read_bytes()) for path in out.rglob("*") if path.is_file()}
    with client_of(out) as client:
        client.get("runs/0/images/0/similar?y=100&x=100&same=1")
        client.bytes("runs/0/plane")
    assert {path: crc32(path.read_bytes()) for path in out.rglob("*") if path.is_file()} == files


def test_the_plane_has_every_tile(client: Client, run: Any) -> None:
    head, _, rest = client.bytes("runs/0/plane").partition(b"\n")
    facts = json.loads(head)
    count = facts["count"]
    assert count == facts["total"] == len(run.tiles.obs) and facts["method"] == "principal components"
    columns = np.frombuffer(rest[: 16 * count], "<f4").reshape(4, count)
    image, fine = np.frombuffer(rest[16 * count : 20 * count], "<u4"), np.frombuffer(rest[20 * count :], np.uint8)
    assert (len(head) + 1) % 4 == 0 and len(fine) == count and np.isfinite(columns).all()
    at = {(run.slides.index(o.slide), o.y_um, o.x_um): o.assignment for o in run.tiles.obs.itertuples()}
    assert {(i, y, x): f for i, y, x, f in zip(image.tolist(), *columns[2:].tolist(), fine.tolist(), strict=True)} == at


def test_a_run_without_pixels_is_read_from_its_slides(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = load(run.out)
    bare = replace(job, settings=job.settings.model_copy(update={"pixels": "none"}))
    viewer = open_viewer(run.out)
    stored = viewer.deep(0, 0, 0).tile(0, 0, 0)
    monkeypatch.setattr(Viewer, "job", lambda self, number: bare)
    viewer.forget()
    assert np.abs(viewer.deep(0, 0, 0).tile(0, 0, 0).astype(int) - stored).mean() < 2
    lost = replace(bare.slides[run.slides[0]], path="/nowhere/a.tif")
    gone = replace(bare, slides=bare.slides | {run.slides[0]: lost})
    monkeypatch.setattr(Viewer, "job", lambda self, number: gone)
    viewer.forget()
    document = image_document(viewer, 0, 0)
    assert document["pictures"][0]["number"] == -1 and "a.tif" in document["missing"]
    assert document["overlays"], "clusters are shown without the slide"


def test_a_slide_that_was_changed_is_not_shown_under_clusters_of_another(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = load(run.out)
    bare = replace(job, settings=job.settings.model_copy(update={"pixels": "none"}))
    other = replace(bare.slides[run.slides[0]], fingerprint="another")
    monkeypatch.setattr(Viewer, "job", lambda self, number: replace(bare, slides={run.slides[0]: other}))
    document = image_document(open_viewer(run.out), 0, 0)
    assert "was changed" in document["missing"] and document["lost"] == ["slide"] and document["overlays"]


def test_what_was_opened_is_opened_again_when_the_run_changes(finished: Callable[..., Any], tmp_path: Path) -> None:
    out = finished("cluster", "slides").copy(tmp_path / "out")
    viewer = open_viewer(out)
    opened = [viewer.deep(0, 0, 0), viewer.grid(0, 0, 0), viewer.pictures(0, 0)]
    assert viewer.deep(0, 0, 0) is opened[0] and viewer.grid(0, 0, 0) is opened[1]
    os.utime(out / "run.json", ns=(1, 1))
    now = [viewer.deep(0, 0, 0), viewer.grid(0, 0, 0), viewer.pictures(0, 0)]
    assert not any(a is b for a, b in zip(opened, now, strict=True))


def test_a_link_in_a_folder_of_results_is_refused(finished: Callable[..., Any], tmp_path: Path) -> None:
    out = finished("cluster", "slides").copy(tmp_path / "out")
    (out / "tables" / "x").symlink_to("/etc")
    with pytest.raises(SettingsError) as refused:
        open_viewer(out)
    assert refused.value.code == "E_FOREIGN"


def test_the_stains_of_a_block_are_pictures(finished: Callable[..., Any]) -> None:
    viewer = open_viewer(finished("cluster", "sections").out)
    pictures = image_document(viewer, 0, 0)["pictures"]
    assert [picture["name"] for picture in pictures] == ["HE", "PanCK", "Ki67"]
    job = viewer.job(0)
    stored = job.stored(next(iter(job.slides)))
    whole = stored.read(stored.frames[0].box)
    assert (viewer.deep(0, 0, 1).tile(0, 0, 0) == whole[3:6].transpose(1, 2, 0)).all()


@pytest.mark.parametrize("shape", [(700, 1300), (513, 512), (3, 5)])
def test_tiles_cover_a_picture_of_any_shape_at_every_reduction(shape: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    deep = Deep.of(MemorySource(draw.integers(0, 255, (3, *shape)).astype(np.uint8), spacing=1.0))
    for z in range(4):
        height, width = deep.shape(z)
        rows = [
            np.concatenate([deep.tile(z, y, x) for x in range(-(-width // TILE))], axis=1)
            for y in range(-(-height // TILE))
        ]
        whole = np.concatenate(rows)
        assert whole.shape == (height, width, 3)
        assert np.abs(whole.mean((0, 1)) - deep.tile(0, 0, 0).mean((0, 1))).max() < 40
        with pytest.raises(LookupError):
            deep.tile(z, 0, -(-width // TILE))


def test_wide_pixels_are_drawn_by_their_own_range() -> None:
    values = np.linspace(1000, 3000, 64 * 64).reshape(1, 64, 64).astype(np.uint16)
    deep = Deep.of(MemorySource(values, spacing=1.0))
    tile = deep.tile(0, 0, 0)
    assert tile[0, 0, 0] < 90 and tile[-1, -1, 0] == 255 and (tile[..., 0] == tile[..., 2]).all()


def test_a_file_without_coarse_levels_costs_no_more_than_its_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(0, 4000, (1, 1200, 1200)).astype(np.uint16)
    source, read = MemorySource(values, spacing=1.0), []
    inner = source.read
    monkeypatch.setattr(source, "read", lambda box, level=0: read.append(box.size) or inner(box, level))
    monkeypatch.setattr(deep_module, "MAX_READ", 2 * 600 * 600)
    deep = Deep.of(source)
    assert max(read) <= 600 * 600 and deep.window[0][1] == pytest.approx(3985, abs=60), "some parts stand for the whole"
    assert [deep.has_tiles(z) for z in range(deep.reductions)] == [True, False, False]
    with pytest.raises(SlideError, match="no coarse level"):
        deep.tile(1, 0, 0)


def test_a_patch_is_read_at_the_level_of_the_run(client: Client, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spacing = load(run.out).spacing / 4  # the file has a finer level than the run
    levels = [np.full((3, n, n), value, np.uint8) for n, value in ((2048, 10), (512, 200))]
    source = MemorySource(*levels, spacing=spacing)
    monkeypatch.setattr(Viewer, "deep", lambda self, *numbers: Deep.of(source))
    patch = pixels(client.bytes(f"runs/0/images/0/patch?y={1024 * spacing}&x={1024 * spacing}"))
    assert patch.shape == (32, 32, 3) and abs(int(patch.mean()) - 200) < 3


def test_a_folder_with_a_run_for_each_stain_shows_them_all(finished: Callable[..., Any], tmp_path: Path) -> None:
    for name in ("he", "ki67"):
        finished("cluster", "slides").copy(tmp_path / name)
    runs = tuple(StainRun(name=name.upper(), folder=name, slides={}) for name in ("he", "ki67"))
    write_stain_runs(Folder(tmp_path), StainRuns(decided="column", input="slides", runs=runs))
    with client_of(tmp_path) as client:
        assert [run["name"] for run in client.get("runs")["runs"]] == ["HE", "KI67"]
        (tmp_path / "he" / "slides.json").write_text("[]")
        damaged, other = client.get("runs")["runs"]
        assert damaged["error"] and not damaged["images"] and other["images"] and not other["error"]
        assert client.get("runs/1/images/0")["pictures"]
