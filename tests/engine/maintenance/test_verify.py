"""Damage of every kind to every kind of file is named, and a repair does that unit again, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.api.commands import cluster
from tile_engine.engine.maintenance.repair import Repair, repair
from tile_engine.engine.maintenance.status import status
from tile_engine.engine.maintenance.verify import Finding, verify
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.engine.runtime.start import resume
from tile_engine.engine.workers.placement import ClusterOptions
from tile_engine.errors import CorruptError, LockedError, SettingsError
from tile_engine.stores.cache import cache_settings
from tile_engine.stores.files import crc32
from tile_engine.stores.lock import Lock

HERE = RunOptions(cluster=ClusterOptions(cluster="none"))
TARGETS = {
    "pixels": ("slides/a-*/0/c/0/0/0", "pixels", "a.tif"),
    "a coarser level": ("slides/b-*/1/c/0/0/0", "pixels", "b.tif"),
    "a layer": ("slides/b-*/layers/confidence/0/c/0/0/0", "tiles", "b.tif"),
    "a label": ("slides/c-*/labels/clusters/0/c/0/0", "labels", "c.tif"),
    "the tissue": ("slides/c-*/labels/tissue/1/c/0/0", "pyramid", "c.tif"),
    "samples": ("samples.zarr/patches/c/1/0/0/0", "patches", ""),
    "the drawn places": ("samples.zarr/place/c/0/0", "draw", ""),
    "codes": ("samples.zarr/codes/c/0/0/0", "view_embeddings", ""),
    "the table": ("tables/tiles.zarr/X/c/0/0", "table", ""),
    "a model": ("models/autoencoder.safetensors", "autoencoder", ""),
    "a model's record": ("models/clusterer.json", "divide", ""),
    "the fine-tuned network": ("models/fine_tuned.safetensors", "fine_tune", ""),
    "the tree": ("models/clusters.json", "order_clusters", ""),
    "the fine clusters": ("slides/c-*/layers/assignment/0/c/0/0/0", "tiles", "c.tif"),
    "the layout": ("samples.zarr/umap/zarr.json", "layout", ""),
    "the list of clusters": ("clusters.csv", "table", ""),
    "a picture": ("maps/density/a-*.png", "pictures", "a.tif"),
    "shares": ("shares.csv", "table", ""),
    "metadata of a store": ("slides/a-*/zarr.json", "pyramid", "a.tif"),
    "metadata of an array": ("slides/a-*/0/zarr.json", "pyramid", "a.tif"),
    "metadata of a layer": ("slides/a-*/layers/embedding/0/zarr.json", "layers", "a.tif"),
    "the list of labels": ("slides/a-*/labels/zarr.json", "labels", "a.tif"),
    "the list of layers": ("slides/a-*/layers/zarr.json", "labels", "a.tif"),
    "metadata of the samples": ("samples.zarr/zarr.json", "draw", ""),
}
"""What is damaged -> where it lies, the step that wrote it, its slide."""
TIMED = ("run.json", "log.txt", "report.html")
Damage = Callable[[Path], Any]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.write_bytes(data)


DAMAGES: dict[str, Damage] = {
    "removed": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "flipped": flip,
}


@pytest.fixture
def out(mini: Any, tmp_path: Path) -> Path:
    return Path(mini.copy(tmp_path / "out"))


def the(out: Path, pattern: str) -> Path:
    found = sorted(out.glob(pattern))
    assert found, pattern
    return found[0]


def state(out: Path) -> dict[str, tuple[bytes, int]]:
    """Path -> bytes and time of change."""
    files = [p for p in out.rglob("*") if p.is_file()]
    return {p.relative_to(out).as_posix(): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def of_unit(out: Path, finding: Finding) -> set[str]:
    """The files that a unit leaves, its receipt included."""
    receipt = f"receipts/{finding.step}/{finding.unit}.json"
    return {receipt, *(path for path, _, _ in json.loads((out / receipt).read_text())["files"])}


def mended(out: Path, before: dict[str, tuple[bytes, int]]) -> Repair:
    """Repair, and see that all bytes are as before and that no file changed but those of the damaged units."""
    damaged = state(out)
    done = repair(out, options=HERE)
    assert not done.left and not done.other
    assert not verify(out, full=True, cluster=HERE.cluster).findings
    after = state(out)
    apart = {path for path in before | after if path.startswith("receipts/") or path in TIMED}
    assert {p: v[0] for p, v in after.items() if p not in apart} == {
        p: v[0] for p, v in before.items() if p not in apart
    }
    touched = {path for path in after if after[path] != damaged.get(path)} - {"log.txt"}
    allowed = set().union(*(of_unit(out, f) for f in done.found))
    lists = {path for path in touched if path.endswith(("/labels/zarr.json", "samples.zarr/zarr.json"))}
    assert touched - lists <= allowed
    return done


def test_an_undamaged_run_is_sound(mini: Any) -> None:
    for full in (False, True):
        verdict = verify(mini.out, full=full, cluster=HERE.cluster)
        assert not verdict.findings and verdict.units == 34 and verdict.files > 150


@pytest.mark.parametrize("what", TARGETS)
def test_damage_is_found_and_named(mini: Any, out: Path, what: str) -> None:
    """Fast for all but a flipped bit of a large file; in full for that, too."""
    pattern, step, slide = TARGETS[what]
    path = the(out, pattern)
    name, sound = path.relative_to(out).as_posix(), path.read_bytes()
    expected = {"removed": {"missing"}, "emptied": {"empty"}, "truncated": {"size"}}
    for how, damage in DAMAGES.items():
        damage(path)
        for full in (False, True):
            findings = verify(out, full=full, cluster=HERE.cluster).findings
            if how == "flipped" and not full and path.suffix != ".json":
                assert not findings
                continue
            assert [(f.path, f.step, f.slide) for f in findings] == [(name, step, slide)]
            assert findings[0].kind in expected.get(how, {"changed", "undecodable", "metadata"})
            if "/c/" in name:
                array, _, shard = name.partition("/c/")
                assert (findings[0].array, findings[0].shard) == (array, f"c/{shard}")
        path.write_bytes(sound)


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("pixels", "flipped"),
        ("pixels", "removed"),
        ("a coarser level", "truncated"),
        ("a layer", "emptied"),
        ("a label", "flipped"),
        ("the tissue", "removed"),
        ("samples", "flipped"),
        ("the drawn places", "flipped"),
        ("the table", "truncated"),
        ("a model", "flipped"),
        ("a model's record", "removed"),
        ("a picture", "emptied"),
        ("metadata of a store", "flipped"),
        ("metadata of an array", "emptied"),
        ("metadata of a layer", "truncated"),
        ("the list of labels", "flipped"),
        ("the list of layers", "emptied"),
        ("metadata of the samples", "removed"),
    ],
)
def test_a_repair_does_the_damaged_unit_again_and_nothing_else(mini: Any, out: Path, what: str, how: str) -> None:
    before = state(out)
    pattern, step, _ = TARGETS[what]
    DAMAGES[how](the(out, pattern))
    done = mended(out, before)
    assert done.units >= 1 and step in {f.step for f in done.found}


def test_much_damage_at_once_is_mended_in_the_order_of_the_steps(mini: Any, out: Path) -> None:
    before = state(out)
    for what, how in [("pixels", "removed"), ("the drawn places", "flipped"), ("samples", "emptied")]:
        DAMAGES[how](the(out, TARGETS[what][0]))
    for what in ("a layer", "metadata of a layer", "a model's record", "the table"):
        DAMAGES["truncated"](the(out, TARGETS[what][0]))
    assert mended(out, before).units == 7


def test_a_lost_receipt_is_found_though_what_its_units_are_counted_from_is_damaged(mini: Any, out: Path) -> None:
    before = state(out)
    the(out, "receipts/patches/0*.json").unlink()
    the(out, "samples.zarr/slide/zarr.json").unlink()
    assert mended(out, before).units == 2


@pytest.mark.parametrize("damage", ["lost", "flipped"])
def test_a_receipt_that_was_lost_or_changed_is_found_and_written_again(mini: Any, out: Path, damage: str) -> None:
    before = state(out)
    path = the(out, "receipts/tiles/a-*/0-0.json")
    if damage == "lost":
        path.unlink()
    else:  # a digit of its counts, which would go on into the clusters' shares
        text = path.read_text()
        at = text.index('"counts"') + 15
        digit = next(i for i in range(at, len(text)) if text[i].isdigit())
        path.write_text(text[:digit] + str((int(text[digit]) + 1) % 10) + text[digit + 1 :])
    assert [f.kind for f in verify(out).findings] == ["receipt"]
    assert mended(out, before).units == 1


def test_weights_under_another_models_record_are_found(mini: Any, out: Path) -> None:
    """A record whose weights were exchanged together with their receipt's sizes still names the right ones."""
    path = out / "models" / "head.json"
    document = json.loads(path.read_text())
    document["sha256"] = "0" * 64
    path.write_text(json.dumps(document, indent=1) + "\n")
    assert {f.path for f in verify(out, full=True, cluster=HERE.cluster).findings} == {"models/head.json"}


def test_a_slide_that_is_gone_leaves_its_damage_and_nobody_elses(mini: Any, tmp_path: Path) -> None:
    """No slide is rejected for it, which would begin the training anew."""
    slides, out = Path(shutil.copytree(mini.slides, tmp_path / "slides")), Path(mini.copy(tmp_path / "out"))
    text = (out / "slides.json").read_text().replace(str(mini.slides), str(slides))
    (out / "slides.json").write_text(text)
    before = state(out)
    hidden = (slides / "a.tif").rename(tmp_path / "a.tif")
    the(out, TARGETS["pixels"][0]).unlink()
    flip(the(out, "slides/b-*/0/c/0/0/0"))
    done = repair(out, options=HERE)
    assert [(f.slide, f.kind) for f in done.left] == [("a.tif", "missing")] and "not repaired" in done.left[0].text
    assert done.units == 1 and state(out)["rejected.json"] == before["rejected.json"]
    hidden.rename(slides / "a.tif")
    mended(out, before)


def test_a_repair_takes_the_lock(mini: Any, out: Path) -> None:
    with Lock(out), pytest.raises(LockedError):
        repair(out, options=HERE)
    with Lock(out):
        assert str(os.getpid()) in verify(out).owner


def test_half_written_files_are_told_and_no_damage(mini: Any, out: Path) -> None:
    (the(out, "slides/a-*") / "0" / "c" / ".0.0a1b2c3d.partial").write_bytes(b"x")
    (out / ".mine.partial").write_bytes(b"somebody else's")
    verdict = verify(out)
    assert verdict.leftovers == 1 and not verdict.findings


def test_a_run_that_has_not_ended_is_sound_as_far_as_it_is(mini: Any, out: Path) -> None:
    run = json.loads((out / "run.json").read_text())
    for step in ("layers", "layout", "labels", "table", "pictures", "report"):
        del run["steps"][step]
    run["steps"]["order_clusters"]["status"] = "running"
    (out / "run.json").write_text(json.dumps(run))
    (out / "receipts" / "order_clusters" / "order_clusters.json").unlink()
    verdict = verify(out, full=True, cluster=HERE.cluster)
    assert not verdict.findings and verdict.units < 25


@pytest.mark.parametrize("name", ["../elsewhere/zarr.json", "/elsewhere/zarr.json", "slides/../../zarr.json"])
def test_a_receipt_that_names_a_file_elsewhere_is_no_receipt(mini: Any, out: Path, name: str) -> None:
    """A repair removes damaged metadata that receipts name."""
    path = next((out / "receipts" / "pixels").rglob("*.json"))
    raw = json.loads(path.read_text())
    del raw["crc32"]
    raw["files"] = [[name, 1, 1]]
    path.write_text(json.dumps(raw | {"crc32": crc32(json.dumps(raw).encode())}))
    assert [f.kind for f in verify(out).findings] == ["receipt"]


@pytest.mark.parametrize(
    "damage", [lambda p: p.unlink(), lambda p: p.write_text(p.read_text().replace("columns", "colums"))]
)
def test_a_lost_or_changed_list_of_slides_is_said_to_be_so(out: Path, damage: Callable[[Path], object]) -> None:
    damage(out / "slides.json")
    with pytest.raises(CorruptError, match=r"slides\.json"):
        verify(out)


def test_there_must_be_a_run(tmp_path: Path) -> None:
    for work in (lambda: verify(tmp_path), lambda: repair(tmp_path, options=HERE)):
        with pytest.raises(SettingsError, match=r"no run\.json"):
            work()
    assert not list(tmp_path.iterdir())


@pytest.mark.nightly
def test_the_command_line_names_and_mends_on_dask_workers(mini: Any, out: Path) -> None:
    """Status 7 with a finding a line, 0 when it is mended; damage within a file is found by workers, too."""
    flip(the(out, TARGETS["pixels"][0]))
    where = ("--cluster", "local", "--workers", "2")
    found = mini.cli("verify", out, "--full", "--json", *where)
    first, last = (json.loads(line) for line in found.stdout.splitlines())
    assert found.returncode == 7, found.stderr
    assert (first["slide"], first["shard"], first["kind"]) == ("a.tif", "c/0/0/0", "undecodable")
    assert first["array"].endswith(".ome.zarr/0") and last["findings"] == 1
    text = mini.cli("verify", out, "--full", "--cluster", "none").stdout
    assert "a.tif" in text and "tile-engine repair" in text
    assert mini.cli("repair", out, *where).returncode == 0
    assert mini.cli("verify", out, "--full", "--cluster", "none").returncode == 0
    assert mini.results(out) == mini.results(mini.out)


def foreign(folder: Path) -> dict[Path, bytes]:
    """Files of the user outside of OUT, with names like ours."""
    names = (
        "x.ome.zarr/zarr.json", "x.ome.zarr/0/zarr.json", "x.ome.zarr/0/c/0/0/0", "x.ome.zarr/0/c/.0.0a1b2c3d.partial",
        "x.png", "x.geojson", "zarr.json", "head.json", "0-0.json", "paper.lock", "paper/thesis.txt",
        "0123456789abcdef0123.lock", "0123456789abcdef0123/a.tif", ".run.json.0a1b2c3d.partial",
    )  # fmt: skip
    files = {folder / name: b'{"mine": 900}' for name in names}
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return files


def untouched(folder: Path, files: dict[Path, bytes]) -> None:
    """All files of the user are as they were, and no file has come to be beside them."""
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files


def changed(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(path.read_text()) if path.exists() else {}
    change(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize("name", ["../../mine/x", "{mine}/x"])
@pytest.mark.parametrize("document", ["slides", "rejected", "quarantined", "an id in slides"])
def test_an_id_that_leads_out_of_the_results_is_refused(
    mini: Any, out: Path, tmp_path: Path, document: str, name: str
) -> None:
    """By whatever reads it, and before anything is done."""
    mine, name = foreign(tmp_path / "mine"), name.format(mine=tmp_path / "mine")

    def change(value: dict[str, Any]) -> None:
        if document == "an id in slides":
            value[next(iter(value))]["id"] = name
        else:
            slide = json.loads((out / "slides.json").read_text()).popitem()[1]
            value[name] = {"slides": {**slide, "id": name}, "rejected": {}, "quarantined": []}[document]

    changed(out / f"{document.removeprefix('an id in ')}.json", change)
    the(out, TARGETS["pixels"][0]).unlink()
    before = {path: data for path, (data, _) in state(out).items()}
    for act in (
        lambda: load(out),
        lambda: verify(out, full=True, cluster=HERE.cluster),
        lambda: repair(out, options=HERE),
        lambda: resume(out, options=replace(HERE, redo=True), seed=7),
        lambda: cluster(mini.slides, out, options=replace(HERE, redo=True), **{**mini.settings, "seed": 7}),
    ):
        with pytest.raises(CorruptError) as caught:
            act()
        assert repr(name) in caught.value.message
    untouched(tmp_path / "mine", mine)
    assert {p: d for p, (d, _) in state(out).items() if p != "log.txt"} == {
        p: d for p, d in before.items() if p != "log.txt"
    }


@pytest.mark.parametrize("key", ["command", "variant", "images"])
def test_a_kind_of_images_that_leads_out_of_the_results_is_refused(out: Path, tmp_path: Path, key: str) -> None:
    mine = foreign(tmp_path / "mine")
    changed(out / "run.json", lambda run: run.update({key: "../mine"}))
    for act in (lambda: verify(out), lambda: repair(out, options=HERE), lambda: load(out)):
        with pytest.raises(CorruptError, match=r"\.\./mine"):
            act()
    untouched(tmp_path / "mine", mine)


def test_the_cache_that_a_run_names_is_not_where_a_repair_makes_room(out: Path, tmp_path: Path) -> None:
    """Whoever handed the results over may have named any folder. Not even slides are copied there."""
    mine = foreign(tmp_path / "mine")
    changed(out / "run.json", lambda run: run.update(cache={"folder": str(tmp_path / "mine"), "limit": 1e-3}))
    the(out, TARGETS["pixels"][0]).unlink()
    assert repair(out, options=HERE).units == 1 and cache_settings() == {"folder": None, "limit": None}
    assert not verify(out, full=True, cluster=HERE.cluster).findings
    untouched(tmp_path / "mine", mine)


def test_a_repair_makes_copies_where_it_is_told(out: Path, tmp_path: Path) -> None:
    """In a folder of its own there, beside what else is in it."""
    mine = foreign(tmp_path / "mine")
    the(out, TARGETS["pixels"][0]).unlink()
    where = replace(HERE.cluster, cache_dir=tmp_path / "mine", cache_limit=3e-4)
    assert repair(out, options=replace(HERE, cluster=where)).units == 1
    own = tmp_path / "mine" / f"tile-engine-cache-{os.getuid()}"
    assert [path.name for path in own.rglob("*.tif")] == ["a.tif"]
    shutil.rmtree(own)
    untouched(tmp_path / "mine", mine)


@pytest.mark.parametrize("name", ["slides/mine/zarr.json", "mine/zarr.json", "zarr.json", "models/mine/0/zarr.json"])
def test_a_receipt_that_names_metadata_of_the_user_does_not_have_them_removed(out: Path, name: str) -> None:
    path = next((out / "receipts" / "pixels").rglob("*.json"))
    raw = json.loads(path.read_text())
    del raw["crc32"]
    raw["files"] = [[name, 1, 1]]
    path.write_text(json.dumps(raw | {"crc32": crc32(json.dumps(raw).encode())}))
    (out / name).parent.mkdir(exist_ok=True, parents=True)
    (out / name).write_bytes(b'{"mine": 900}')
    repair(out, options=HERE)
    assert (out / name).read_bytes() == b'{"mine": 900}'


@pytest.mark.parametrize(
    "link", ["slides", "models", "receipts/pixels", "slides/{slide}.ome.zarr/0", "index", "log.txt"]
)
def test_a_link_in_the_results_is_not_followed_to_write_or_remove(
    mini: Any, out: Path, tmp_path: Path, link: str
) -> None:
    slide = next(iter(json.loads((out / "slides.json").read_text())))
    path = out / link.format(slide=slide)
    if path.exists():
        shutil.move(path, tmp_path / "mine")
    else:
        (tmp_path / "mine").mkdir()
    where = tmp_path / "mine"
    files = {p: p.read_bytes() for p in ([where] if where.is_file() else where.rglob("*")) if p.is_file()}
    files |= {} if where.is_file() else foreign(where / "deep")
    path.symlink_to(where)
    the(out, TARGETS["pixels"][0]).write_bytes(b"") if link in ("models", "index") else None
    for act in (
        lambda: repair(out, options=HERE),
        lambda: resume(out, options=replace(HERE, redo=True), seed=7),
        lambda: cluster(mini.slides, out, options=replace(HERE, redo=True), **{**mini.settings, "seed": 7}),
    ):
        with pytest.raises(SettingsError, match="link") as caught:
            act()
        assert caught.value.code == "E_FOREIGN" and str(path) in caught.value.message
    assert {p: p.read_bytes() for p in files} == files


def test_a_fingerprint_that_run_json_lacks_is_damage(out: Path) -> None:
    document = json.loads((out / "run.json").read_text())
    del document["fingerprints"]["layers"]
    (out / "run.json").write_text(json.dumps(document))
    with pytest.raises(CorruptError, match=r"run\.json states no fingerprint of the step 'layers'"):
        status(out)
