"""The page's own files: nothing of another host, nothing inline, and OpenSeadragon as its makers released it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine.cli.view import view
from tile_engine.engine.api import viewing
from tile_engine.engine.runtime.load import load
from tile_engine.engine.show.palette import FIXED_COLOURS
from tile_engine.engine.view import cloud, data, deep, plane, size, static
from tile_engine.engine.view.cloud import cloud_of
from tile_engine.engine.view.held import Held
from tile_engine.engine.view.overview import image_document, overview
from tile_engine.engine.view.routes import PAGE, page_file, page_files
from tile_engine.engine.view.static import check_target, write_page
from tile_engine.engine.view.viewer import Viewer, open_viewer
from tile_engine.errors import CorruptError, MachineError, SettingsError, SlideError

OWN = sorted(path for path in PAGE.glob("*") if path.is_file())
MAX_LINES = 300


def test_openseadragon_is_the_release_file() -> None:
    folder = PAGE / "openseadragon"
    sums = dict(line.split()[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert set(sums) | {"SHA256SUMS"} == {path.name for path in folder.iterdir()}
    for name, stated in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == stated, f"{name} was changed"


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_own_files_are_short_and_name_no_other_host(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w+/", text) and "innerHTML" not in text and "eval(" not in text


def test_nothing_is_inline_and_every_file_is_there() -> None:
    html = (PAGE / "index.html").read_text("utf-8")
    assert not re.findall(r"<script>|<script [^>]*>[^<]|\son\w+=|\sstyle=|<style", html)
    for address in re.findall(r'(?:src|href)="(/[^"]*)"', html):
        assert page_file(address).content
    assert {name for name in page_files() if name.endswith(".js")} == set(re.findall(r'src="([^"]*)"', html))


def test_every_control_has_a_name() -> None:
    html = (PAGE / "index.html").read_text("utf-8")
    for tag, attributes in re.findall(r"<(input|select|canvas)([^>]*)>", html):
        before = html[: html.index(attributes)].rsplit("<label", 1)
        inside = len(before) == 2 and "</label>" not in before[1]
        assert inside or "aria-label" in attributes, f"{tag}{attributes}"


def test_the_static_page_holds_all_that_it_names(finished: Callable[..., Any], tmp_path: Path) -> None:
    page = viewing.write_static(finished("cluster", "slides").out, tmp_path / "page")
    html, answers = page.read_text(), (page.parent / "answers.js").read_text()
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)[1]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    for address in re.findall(r'(?:src|href)="([^"]*)"', html):
        assert address == "data:," or (page.parent / address).is_file(), address
    assert str(tmp_path) not in answers and "</" not in answers
    assert len(re.findall(r'"(\d+)":\{"numbers"', answers)) > 2
    assert (page.parent / "tiles" / "0-0-p0" / "0-0-0.jpg").is_file()
    with pytest.raises(SettingsError, match="holds files already"):
        viewing.write_static(finished("cluster", "slides").out, tmp_path / "page")


def test_the_cells_of_the_static_page_are_those_of_the_run(finished: Callable[..., Any], tmp_path: Path) -> None:
    out = finished("cluster", "slides").out
    page, viewer = viewing.write_static(out, tmp_path / "page"), open_viewer(out)
    for image in range(3):
        text = (page.parent / "data" / f"0-{image}.js").read_text()
        name, cells = re.search(r'TE\.cells\("([\d-]+)", (.*)\);', text).groups()
        overlays = image_document(viewer, 0, image)["overlays"]
        assert name == f"0-{image}" and set(json.loads(cells)) == {str(overlay["number"]) for overlay in overlays}
        for number, packed in json.loads(cells).items():
            stored = viewer.grid(0, image, int(number)).cells
            assert zlib.decompress(base64.b64decode(packed)) == stored.tobytes() and stored.any()


def test_the_size_of_a_page_is_said_and_refused_where_there_is_no_room(
    finished: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, events = finished("cluster", "slides").out, []
    page = viewing.write_static(out, tmp_path / "page", events.append)
    files = [path for path in page.parent.rglob("*") if path.is_file()]
    note = next(event for event in events if event.kind == "note")
    assert note.text.endswith(f"files will be written to {tmp_path / 'page'}") and "MB in" in note.text
    assert note.facts["files"] == pytest.approx(len(files), abs=8)
    assert sum(path.stat().st_size for path in files) / 2 < note.facts["bytes"] < 2e6
    noise = np.random.default_rng(0).integers(0, 256, 1 << 16, np.uint8).tobytes()
    assert len(base64.b64encode(zlib.compress(noise))) == pytest.approx(size.BYTES_PER_VALUE * len(noise), rel=0.01)
    monkeypatch.setattr(size, "free_at", lambda path: 1000)
    with pytest.raises(MachineError, match=r"about 1 MB .* 0 MB are free") as refused:
        viewing.write_static(out, tmp_path / "other")
    assert refused.value.code == "E_NO_ROOM" and not list(tmp_path.glob("other*"))


def test_a_page_is_not_written_into_results_or_images(finished: Callable[..., Any], tmp_path: Path) -> None:
    done = finished("cluster", "slides")
    (tmp_path / "file").write_text("")
    (source,) = done.images.values()
    for folder, why in (
        (done.out / "page", "in the results"),
        (Path(source) / "page", "in the input"),
        (tmp_path / "file", "is a file"),
    ):
        with pytest.raises(SettingsError, match=why):
            viewing.write_static(done.out, folder)
        assert not folder.is_dir()
    run = done.copy(tmp_path / "page.partial")  # of any name
    events: list[Any] = []
    assert viewing.write_static(run, tmp_path / "page", events.append).is_file()
    assert (run / "run.json").is_file() and [e.done for e in events if e.kind == "progress"] == [1, 2, 3] * 2


def test_a_page_may_lie_beside_the_slides_that_a_run_names_one_by_one(
    finished: Callable[..., Any], tmp_path: Path
) -> None:
    done = finished("cluster", "slides")
    (source,) = done.images.values()
    out, slide = done.copy(tmp_path / "out"), next(Path(source).glob("*.tif"))
    text = (out / "run.yaml").read_text()
    for named, refused in ((slide, False), (source, True)):
        (out / "run.yaml").write_text(text.replace(f"slides: {source}\n", f"slides: {named}\n"))
        with pytest.raises(SettingsError, match="in the input") if refused else nullcontext():
            check_target(open_viewer(out), Path(source) / "page")


def test_what_an_interruption_left_of_a_page_is_removed(finished: Callable[..., Any], tmp_path: Path) -> None:
    def interrupt(event: Any) -> None:
        if event.text == "write images":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        viewing.write_static(finished("cluster", "slides").out, tmp_path / "page", interrupt)
    assert not list(tmp_path.iterdir())


def test_a_slide_that_costs_too_much_is_left_out_of_the_page_by_name(
    finished: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = finished("cluster", "slides").out
    monkeypatch.setattr(deep, "MAX_READ", 1000)
    assert "no coarse level" in image_document(open_viewer(out), 0, 0)["missing"]
    folder = viewing.write_static(out, tmp_path / "page").parent
    assert "slide: not here, the file has no coarse level." in (folder / "answers.js").read_text()
    assert (folder / "data" / "0-0.js").is_file() and not (folder / "tiles" / "0-0-p0").exists()


def test_the_page_to_send_names_no_subject_and_no_folder(
    finished: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = finished("cluster", "slides").out
    job = load(out)
    records = {image: replace(record, subject="Mrs Doe") for image, record in job.slides.items()}
    first = next(iter(records))
    records[first] = replace(records[first], path=str(tmp_path / "lost.tif"))
    lost = replace(job, slides=records, settings=job.settings.model_copy(update={"pixels": "none"}))
    monkeypatch.setattr(Viewer, "job", lambda self, number: lost)
    viewer = open_viewer(out)
    assert "Mrs Doe" in str(overview(viewer)) and "lost.tif" in image_document(viewer, 0, 0)["missing"]
    answers = (write_page(viewer, tmp_path / "page").parent / "answers.js").read_text()
    assert (
        "slide: not here" in answers and '"folder":"tile-engine"' in answers and f'"name":"{out.name}"' not in answers
    )
    assert not any(text in answers for text in ("Mrs Doe", str(tmp_path), str(out), "lost.tif"))


def test_the_page_to_send_has_folders_only_in_names_that_several_images_would_have(
    finished: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = load(finished("cluster", "slides").out)

    def written(folder: str, *names: str) -> tuple[str, list[Any]]:
        named = zip(job.slides.items(), names, strict=True)
        slides = {one: replace(record, name=name, path=str(tmp_path / "lost")) for (one, record), name in named}
        lost = replace(job, slides=slides, settings=job.settings.model_copy(update={"pixels": "none"}))
        monkeypatch.setattr(Viewer, "job", lambda self, number: lost)
        events: list[Any] = []
        page = write_page(open_viewer(job.folder.out), tmp_path / folder, events.append).parent
        points = json.loads(re.search(r'TE\.cells\("0-plane", (.*)\);', (page / "data" / "0-plane.js").read_text())[1])
        head = zlib.decompress(base64.b64decode(points["plane"])).partition(b"\n")[0].decode()
        return (page / "answers.js").read_text() + head, [e.facts for e in events if "names_with_folders" in e.facts]

    text, told = written("one", "Doe_John/a.tif", "Roe_Jane/b.tif", "c.tif")
    assert "Doe" not in text and "Roe" not in text and not told
    assert all(text.count(f'"{name}.tif"') == 4 for name in "abc")  # the list, the image, its only picture, the plane
    text, told = written("two", "Doe_John/a.tif", "Roe_Jane/a.tif", "Poe_Ann/c.tif")
    assert "Poe" not in text and told == [{"names_with_folders": ["Doe_John/a.tif", "Roe_Jane/a.tif"]}]
    assert text.count('"Doe_John/a.tif"') == 4


def test_a_page_of_whole_images_leaves_out_those_that_cannot_be_read(
    finished: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is missing when the page is begun, two turn out to be damaged while it is written: one in its coarse level alone."""
    opened, cells, small = Viewer.deep, static.picture_cells, static.small_picture
    viewer = open_viewer(finished("embed", "volumes").out)
    damaged = viewer.deep(0, 1, 0)

    def deep_of(self: Viewer, run: int, image: int, picture: int) -> Any:
        if image == 0:
            raise SlideError("it is gone")
        return damaged if image == 1 else opened(self, run, image, picture)

    def cells_of(one: Any, most: int) -> Any:
        if one is damaged:
            raise CorruptError("a chunk is damaged")
        return cells(one, most)

    def small_of(viewer: Viewer, run: int, image: int) -> bytes:
        if image == 2:
            raise CorruptError("a chunk of the coarse level is damaged")
        return small(viewer, run, image)

    monkeypatch.setattr(Viewer, "deep", deep_of)
    monkeypatch.setattr(static, "picture_cells", cells_of)
    monkeypatch.setattr(static, "small_picture", small_of)
    folder = write_page(viewer, tmp_path / "page").parent
    assert sorted(path.name for path in (folder / "thumbs").iterdir()) == [f"0-{image}.jpg" for image in (3, 4, 5)]
    answers = json.loads(re.search(r"answers: (.*) };", (folder / "answers.js").read_text())[1])
    notes = [answers[f"runs/0/images/{image}"]["missing"] for image in range(4)]
    assert notes == [
        "volume: not here, the file could not be read.",
        *["volume: not here, the file is damaged."] * 2,
        "",
    ]
    assert [answers[f"runs/0/images/{image}"]["pictures"][0]["number"] for image in range(4)] == [-1, -1, -1, 0]
    assert '"p0"' not in (folder / "data" / "0-2.js").read_text() and '"p0"' in (folder / "data" / "0-3.js").read_text()


def test_a_page_has_the_columns_that_are_named_and_says_which_it_has_not(
    finished: Callable[..., Any], tmp_path: Path
) -> None:
    out, events = finished("embed", "volumes").out, []
    viewing.write_static(out, tmp_path / "page", events.append)
    sent, *behind = (event.facts for event in events if event.kind == "note" and "bytes" not in event.facts)
    assert sent == {"columns": ["label", "age", "site"]} and not behind
    with pytest.raises(SettingsError, match="no such column is in the list") as refused:
        viewing.write_static(out, tmp_path / "other", columns=["ward"])
    assert "age" in refused.value.message and not (tmp_path / "other").exists()
    with pytest.raises(SettingsError, match="give --static FOLDER, too"):
        view(str(out), columns="age")
    for viewer_alone in ({"port": 8000}, {"idle": 5.0}):
        with pytest.raises(SettingsError, match="are of the viewer"):
            view(str(out), static=str(tmp_path / "other"), **viewer_alone)


def notes_of_columns(viewer: Viewer, folder: Path, columns: list[str]) -> dict[str, Any]:
    """What is said of the columns of a page that is written."""
    events: list[Any] = []
    write_page(viewer, folder, events.append, columns=columns)
    return {name: value for event in events for name, value in event.facts.items() if name.startswith("columns")}


@pytest.mark.parametrize("typed", ["BMI kg/m2", "bmi kg per m2"])
def test_a_column_with_a_slash_is_coloured_by_and_sent_by_either_name(
    finished: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    job = load(finished("cluster", "slides").out)
    values = dict(zip(job.slides, ("21", "25.5", "30"), strict=True))
    slides = {one: replace(record, columns={"BMI kg/m2": values[one]}) for one, record in job.slides.items()}
    monkeypatch.setattr(Viewer, "job", lambda self, number: replace(job, slides=slides))
    viewer = open_viewer(job.folder.out)
    shown = {column["name"]: column for column in cloud_of(viewer.job(0), plane.check_table(viewer, 0)).columns}
    assert shown["BMI kg per m2"]["values"] == [21, 25.5, 30]
    notes = notes_of_columns(viewer, tmp_path / "page", [typed])
    assert "BMI kg per m2" in notes["columns"] and set(notes) == {"columns"}


def test_columns_are_named_as_the_list_or_as_the_table_calls_them(
    finished: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`id` is `list id` in the table of volumes, and the column of classes is `label`."""
    job = load(finished("embed", "volumes").out)
    table = cloud.read_table(job.folder.out / "tables" / "volumes.zarr")
    table.obs["list id"] = ["x", "y"] * 3
    slides = {
        one: replace(record, columns={"id": "", "diagnosis": record.columns["label"]})
        for one, record in job.slides.items()
    }
    settings = job.settings.model_copy(update={"label": "diagnosis"})
    monkeypatch.setattr(cloud, "read_table", lambda path: table)
    monkeypatch.setattr(Viewer, "job", lambda self, number: replace(job, slides=slides, settings=settings))
    viewer = open_viewer(job.folder.out)
    assert notes_of_columns(viewer, tmp_path / "none", [])["columns_left_out"] == ["list id"]
    for number, typed in enumerate((["list id"], ["ID"], ["id", "Diagnosis"])):
        notes = notes_of_columns(viewer, tmp_path / str(number), typed)
        assert notes == {"columns": ["label", "age", "site", "list id"]}, typed
    table.obs["list id"] = "x"
    assert notes_of_columns(viewer, tmp_path / "dull", ["list id"])["columns_not_drawn"] == ["list id"]
    with pytest.raises(SettingsError, match="it has id, diagnosis"):
        write_page(viewer, tmp_path / "other", columns=["ward"])
    assert not list(tmp_path.glob("other*"))


def test_cells_of_many_overlays_are_reduced_and_the_page_says_so(
    finished: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = finished("cluster", "slides").out
    monkeypatch.setattr(data, "MAX_VOXELS", 40)
    page, viewer = viewing.write_static(out, tmp_path / "page"), open_viewer(out)
    document = json.loads(re.search(r"answers: (.*) };", (page.parent / "answers.js").read_text())[1])[
        "runs/0/images/0"
    ]
    cells = json.loads(re.search(r'TE\.cells\("0-0", (.*)\);', (page.parent / "data" / "0-0.js").read_text())[1])
    for overlay in document["overlays"]:
        height, width = overlay["shape"]
        assert (
            height * width <= 40
            and len(zlib.decompress(base64.b64decode(cells[str(overlay["number"])]))) == height * width
        )
        assert f"{overlay['name']}: shown with cells of" in document["missing"]
        whole = viewer.grid(0, 0, overlay["number"]).frame
        assert overlay["lengths"][0] >= whole.shape[0] * whole.spacing[0]


def test_a_static_page_is_not_of_films(finished: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="on films"):
        viewing.write_static(finished("anomaly", "films").out, tmp_path / "page")


def test_the_static_page_of_volumes_has_their_voxels_and_the_plane(
    finished: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The voxels are those of the viewer, fewer where there are many volumes; the folder that is named is the one given."""
    out, events = finished("cluster", "subjects").out, []
    monkeypatch.setattr(data, "MAX_VOXELS", 10_000)
    page, viewer = viewing.write_static(out, tmp_path / "page", events.append), open_viewer(out)
    job = load(out)
    size_note, columns = [event for event in events if event.kind == "note"]
    assert size_note.text.endswith(f"will be written to {tmp_path / 'page'}")
    assert columns.facts["columns"] == ["label", "age", "site"]
    answers = json.loads(re.search(r"answers: (.*) };", (page.parent / "answers.js").read_text())[1])
    document = answers["runs/0/images/1"]
    (shown,) = document["pictures"]
    assert shown["shape"] == [16, 18, 17] and "voxels of 4 × 4 × 4 mm" in document["missing"]
    whole = viewer.deep(0, 1, 0)
    grey = deep.eight_bit(whole.source.read(whole.frame.box).reshape(1, -1, 34), whole.window)[..., 0]
    cells = json.loads(re.search(r'TE\.cells\("0-1", (.*)\);', (page.parent / "data" / "0-1.js").read_text())[1])
    assert zlib.decompress(base64.b64decode(cells["p0"])) == grey.reshape(32, 36, 34)[::2, ::2, ::2].tobytes()
    points = json.loads(
        re.search(r'TE\.cells\("0-plane", (.*)\);', (page.parent / "data" / "0-plane.js").read_text())[1]
    )
    assert zlib.decompress(base64.b64decode(points["plane"])) == plane.encoded(
        cloud_of(job, plane.check_table(viewer, 0), ()), job.modality.axes
    )
    assert (page.parent / "thumbs" / "0-5.jpg").is_file() and (page.parent / "means-0.png").is_file()
    assert not any(f'"{subject}"' in text for subject in ("s0", "s5") for text in (str(answers), str(points)))


def test_what_was_used_last_is_kept_within_the_bytes() -> None:
    held, made = Held(100), []

    def value(key: str, size: int) -> str:
        return held.get(key, lambda: made.append(key) or "x" * size, len)

    for key in "abac":
        value(key, 40)
    assert made == ["a", "b", "c"]
    value("a", 40)
    value("b", 40)
    assert made == ["a", "b", "c", "b"]


def test_what_is_made_while_all_is_let_go_of_is_not_kept() -> None:
    held = Held(100)

    def make() -> str:
        held.clear()  # as another thread does when the run has changed
        return "old"

    assert held.get("a", make, len) == "old" and held.get("a", lambda: "new", len) == "new"


def test_the_browser_gets_a_file_that_only_its_owner_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    viewing.open_browser("http://127.0.0.1:1/?token=secret")
    (address,), (page,) = opened, tmp_path.glob("*/open.html")
    assert address == page.as_uri() and "secret" not in address
    assert page.stat().st_mode & 0o777 == 0o600 and page.parent.stat().st_mode & 0o777 == 0o700
    assert "url=http://127.0.0.1:1/?token=secret" in page.read_text()


def test_marks_of_the_page_are_colours_of_the_palette() -> None:
    """Vermilion of Okabe and Ito, with white around it: it is seen on every cluster's colour."""
    rgb = tuple(bytes.fromhex(re.search(r'MARK = "#(\w+)"', (PAGE / "map.js").read_text())[1]))
    assert rgb in FIXED_COLOURS
