"""The main job on cohorts that are not as they should be: what is bad is rejected by code, the others are done."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.api.running import resume
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runs import pipeline
from tile_engine.engine.runtime.apart import plan_all
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.output_folder import default_out
from tile_engine.errors import MachineError, NoInputError, SettingsError
from tile_engine.stores.image import StoredImage
from tile_engine.stores.receipts import Ledger


def write(path: Path, pixels: np.ndarray, mpp: float | None = 0.5) -> Path:
    said = {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"} if mpp else {}
    tifffile.imwrite(path, pixels, tile=(128, 128), photometric="rgb", compression="jpeg", metadata=None, **said)
    return path


def spoil(path: Path, tiles: tuple[int, ...]) -> None:
    """Overwrite the JPEG data of some tiles."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        places = [(page.dataoffsets[t], page.databytecounts[t]) for t in tiles]
    with path.open("r+b") as file:
        for offset, length in places:
            file.seek(offset)
            file.write(b"\x00" * length)


def options(*stages: str, **options: Any) -> RunOptions:
    chosen = {"stages": stages} if stages else {}
    return RunOptions(cluster=ClusterOptions(cluster="none"), **chosen, **options)


def test_bad_slides_are_rejected_by_code_a_blank_one_is_finished_and_the_good_are_done(
    mini: Any, data: Path, tmp_path: Path
) -> None:
    slides = tmp_path / "slides"
    slides.mkdir()
    for name in ("a.tif", "c.tif"):
        shutil.copy2(mini.slides / name, slides)
    (slides / "empty.svs").write_bytes(b"")
    (slides / "page.svs").write_text("<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20)
    whole = (data / "wsi" / "CMU-1-Small-Region.svs").read_bytes()
    (slides / "cut.svs").write_bytes(whole[: len(whole) // 3])
    Image.fromarray(np.full((300, 300, 3), 200, np.uint8)).save(slides / "no-mpp.png")
    write(slides / "blank.tif", np.full((300, 280, 3), 243, np.uint8))
    shutil.copy2(mini.slides / "b.tif", slides / "broken.tif")
    spoil(slides / "broken.tif", (4,))
    done = mini.cli("run", "cluster", "--slides", slides, "--out", tmp_path / "out", *mini.args)
    assert done.returncode == 3, done.stderr
    run = tile_engine.open_run(tmp_path / "out")
    codes = {r["name"]: r["code"] for r in run.rejected.values()}
    assert codes.pop("cut.svs") in ("E_TRUNCATED", "E_UNREADABLE", "E_MALFORMED")
    assert codes == {
        "empty.svs": "E_EMPTY",
        "page.svs": "E_NOT_A_SLIDE",
        "no-mpp.png": "E_NO_MPP",
        "broken.tif": "E_TRUNCATED",
    }
    assert all(f"[{r['code']}]: {r['name']}" in done.stderr for r in run.rejected.values())
    assert "--mpp" in next(r["message"] for r in run.rejected.values() if r["code"] == "E_NO_MPP")
    assert run.status == "done" and run.exit_status == 3
    # the blank slide: a finished slide with no tissue
    blank = next(s for s in run.slides if s.startswith("blank"))
    assert len(run.slides) == 3 and run.shares.loc[blank, "tiles"] == 0
    assert not run.layers("tissue")[blank].values.any() and not run.layers("clusters")[blank].values.any()
    page = run.report.read_text()
    assert all(name in page for name in ("a.tif", "c.tif", "blank.tif", "empty.svs", "E_NO_MPP"))
    # the same command again: nothing is refused, and the rejections stay
    before = mini.results(run.out)
    assert tile_engine.cluster(slides, run.out, options=options(), **mini.settings).exit_status == 3
    assert mini.results(run.out) == before
    # and a stage alone remembers them
    assert resume(run.out, options=options("map")).rejected == run.rejected


def test_undecodable_tiles_below_the_limit_are_masked_and_counted_and_the_slide_is_done(
    mini: Any, tmp_path: Path
) -> None:
    slides = tmp_path / "slides"
    slides.mkdir()
    shutil.copy2(mini.slides / "a.tif", slides)
    shutil.copy2(mini.slides / "a.tif", slides / "broken.tif")
    spoil(slides / "broken.tif", (4,))
    run = tile_engine.cluster(slides, tmp_path / "out", options=options("convert"), max_bad_tiles=0.5)
    assert run.rejected == {}
    broken = next(s for s in run.slides if s.startswith("broken"))
    job = load(run.out)
    facts = [r.facts for r in Ledger(run.out, "pixels", job.ledger_key("pixels", broken)).all(broken)]
    assert [f["unreadable"] for f in facts] == [[[128, 128, 256, 256]]]
    tissue = run.layers("tissue")[broken].values
    assert (tissue[8:16, 8:16] == 2).all() and (tissue == 2).sum() == 64, "2 stands for unreadable"
    pixels, sound = run.images[broken].values, run.images[next(s for s in run.slides if s != broken)].values
    hole = np.zeros(pixels.shape[1:], bool)
    hole[128:256, 128:256] = True
    assert (pixels[:, hole] == 255).all()
    np.testing.assert_array_equal(pixels[:, ~hole], sound[:, ~hole])


def test_pixels_in_tissue_are_the_same_whatever_else_is_kept_and_what_is_not_reads_as_background(
    mini: Any, tmp_path: Path
) -> None:
    """A section on much glass: chunks without tissue are absent by plan, levels and metadata are whole."""
    from skimage.data import immunohistochemistry

    slides = tmp_path / "slides"
    slides.mkdir()
    glass = np.full((900, 1100, 3), 244, np.uint8)
    glass[540:840, 600:1000] = immunohistochemistry()[:300, :400]
    write(slides / "a.tif", glass)
    runs = {
        pixels: tile_engine.cluster(slides, tmp_path / pixels, options=options("convert"), pixels=pixels, codec=codec)
        for pixels, codec in (("all", "lz4"), ("tissue", "none"), ("none", "zstd"))
    }
    slide = runs["all"].slides[0]
    whole, kept = (runs[p].images[slide].values for p in ("all", "tissue"))
    tissue = runs["tissue"].layers("tissue")[slide].values
    assert (tissue == runs["all"].layers("tissue")[slide].values).mean() > 0.99
    differs = (whole != kept).any(0)
    assert (kept[:, differs] == 255).all() and differs[:256, :256].any()
    on = np.kron(tissue, np.ones((16, 16), np.uint8))[: whole.shape[1], : whole.shape[2]] > 0
    assert on.any() and not differs[on].any()
    store = StoredImage.open(runs["tissue"].out / "slides" / f"{slide}.ome.zarr")
    full = StoredImage.open(runs["all"].out / "slides" / f"{slide}.ome.zarr")
    assert store.frames == full.frames and store.levels[0].spec.codec.name == "none"
    for level, frame in enumerate(full.frames):
        ours, theirs = store.read(frame.box, level), full.read(frame.box, level)
        mask = on[:: 2**level, :: 2**level][: frame.shape[0], : frame.shape[1]]
        np.testing.assert_array_equal(ours[:, mask], theirs[:, mask])
    # none: an image all the same, of the coarse levels only, in the same place
    import ngff_zarr

    coarse = StoredImage.open(runs["none"].out / "slides" / f"{slide}.ome.zarr")
    assert coarse.frames[0].spacing == (8.0, 8.0)
    assert runs["none"].image(slide).y.values[0] == pytest.approx(4.0)
    ngff_zarr.from_ngff_zarr(str(coarse.path), validate=True, version="0.5")
    ours, theirs = coarse.read(coarse.frames[0].box), full.read(full.frames[4].box, 4) if len(full.frames) > 4 else None
    assert theirs is None or np.abs(ours.astype(int) - theirs).max() <= 4


@pytest.mark.nightly
def test_a_run_without_stored_pixels_finds_the_same_clusters(mini: Any, tmp_path: Path) -> None:
    """With `none` the run reads the slides themselves; at their own spacing these are the pixels that `all` stores."""
    run = tile_engine.cluster(mini.slides, tmp_path / "out", options=options(), **{**mini.settings, "pixels": "none"})
    assert run.status == "done" and run.image(run.slides[0]).shape == (3, 24, 24)
    whole = tile_engine.open_run(mini.out)
    if all((run.layers("tissue")[s].values == whole.layers("tissue")[s].values).all() for s in run.slides):
        assert mini.results(run.out, "models", "samples.zarr", "tables") == mini.results(
            mini.out, "models", "samples.zarr", "tables"
        )
    assert set(run.shares.columns) == set(whole.shares.columns)


def test_stages_one_by_one_leave_the_bytes_of_the_whole_run(mini: Any, tmp_path: Path) -> None:
    """Through the command line, each option with the stage that it belongs to."""
    from typer.testing import CliRunner

    from tile_engine.cli.app import app

    out = tmp_path / "out"
    none = ["--cluster", "none", "-q"]
    stages = (
        ["convert", str(mini.slides), "--out", str(out)],
        ["sample", str(out), "--patch", "32", "--effort", "0.02", "--samples", "1100"],
        ["train", str(out), "--k", "2-3", "--objective", "imsat", "--seeds", "2", "--threads", "1"],
        ["apply", str(out)],
        ["map", str(out), "--no-umap"],
    )
    for i, words in enumerate(stages):
        for later in stages[max(i + 1, 1) + 1 :] if i < 3 else ():
            if i:
                with pytest.raises(SettingsError, match="needs the results of stage") as caught:
                    CliRunner().invoke(app, [*later[:2], *none], catch_exceptions=False, standalone_mode=False)
                assert caught.value.code == "E_STAGE_ORDER"
        CliRunner().invoke(app, [*words, *none], catch_exceptions=False, standalone_mode=False)
    assert mini.results(out) == mini.results(mini.out)
    assert tile_engine.open_run(out).status == "done"


def test_out_inside_or_instead_of_the_input_is_refused_before_anything_is_written(mini: Any, tmp_path: Path) -> None:
    slides = tmp_path / "slides"
    shutil.copytree(mini.slides, slides)
    before = sorted(tmp_path.rglob("*"))
    for out in (slides, slides / "out", slides / "a.tif", slides / ".." / "slides" / "deep" / "er"):
        with pytest.raises(SettingsError) as caught:
            tile_engine.cluster(slides, out, options=options(), **mini.settings)
        assert caught.value.code == "E_OUT" and caught.value.exit_status == 2
    (tmp_path / "link").symlink_to(slides)
    with pytest.raises(SettingsError, match="inside the input"):
        tile_engine.cluster(slides, tmp_path / "link" / "out", options=options())
    assert sorted(p for p in tmp_path.rglob("*") if p.name != "link") == before


def test_out_beside_slides_that_were_named_one_by_one_is_fine(mini: Any, tmp_path: Path) -> None:
    shutil.copy2(mini.slides / "a.tif", tmp_path)
    run = tile_engine.cluster(tmp_path / "a.tif", tmp_path / "out", options=options("convert"))
    assert len(run.slides) == 1


def test_where_nothing_is_found_what_was_seen_is_listed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    for spec, said in ((tmp_path, "notes.txt"), (tmp_path / "*.svs", "nothing"), (tmp_path / "nowhere", "notes.txt")):
        with pytest.raises(NoInputError) as caught:
            tile_engine.cluster(spec, tmp_path / "out")
        assert said in caught.value.message and caught.value.exit_status == 4
    assert not (tmp_path / "out").exists()


def test_where_every_slide_is_bad_each_is_named_with_its_code(tmp_path: Path) -> None:
    slides = tmp_path / "slides"
    slides.mkdir()
    (slides / "a.svs").write_bytes(b"")
    (slides / "b.svs").write_text("<html></html>")
    with pytest.raises(NoInputError) as caught:
        tile_engine.cluster(slides, tmp_path / "out")
    assert caught.value.exit_status == 4
    assert all(s in caught.value.message for s in ("a.svs [E_EMPTY]", "b.svs [E_NOT_A_SLIDE]"))


def test_a_cohort_of_blank_slides_says_that_there_is_no_tissue(tmp_path: Path) -> None:
    write(tmp_path / "blank.tif", np.full((300, 280, 3), 243, np.uint8))
    with pytest.raises(NoInputError, match="no tissue") as caught:
        tile_engine.cluster(tmp_path / "blank.tif", tmp_path / "out", options=options("convert", "sample"))
    assert caught.value.code == "E_NO_TISSUE"


def test_a_disk_that_is_too_small_is_refused_with_both_sizes_before_work(
    mini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(MachineError, match=r"about 0\.\d+ GB will be written .* and 0\.00 GB are free") as caught:
        tile_engine.cluster(mini.slides, tmp_path / "out", options=options(), **mini.settings)
    assert caught.value.exit_status == 5 and not (tmp_path / "out" / "slides").exists()


def test_a_disk_that_is_too_small_leaves_a_finished_run_alone_even_with_redo(
    mini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = mini.copy(tmp_path / "out")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(MachineError):
        tile_engine.cluster(
            mini.slides, out, options=options(redo=True), **{**mini.settings, "codec": "none", "patch": 64}
        )
    assert mini.results(out) == mini.results(mini.out)


def test_the_default_out_is_named_after_the_input_and_never_inside_it(
    mini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_out("some/cohort") == tmp_path / "cohort-tiles"
    assert default_out("some/one.svs") == tmp_path / "one-tiles"
    assert default_out("some/cohort/*.svs") == tmp_path / "cohort-tiles"
    (tmp_path / "cohort" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "cohort" / "deep")
    assert default_out(tmp_path / "cohort") == tmp_path / "cohort-tiles"


def test_a_dry_run_writes_nothing_and_says_sizes(mini: Any, tmp_path: Path) -> None:
    kind, target = pipeline("cluster", "slides"), tmp_path / "out"
    [(out, opened, sizes)] = plan_all(kind, mini.slides, target, options(), mini.settings)
    assert out == tmp_path / "out" and not list(tmp_path.iterdir())
    assert sizes.slides == len(opened.slides) == 3 and sizes.units["convert"] == 6
    assert sizes.tiles >= sum(
        (layer.values > 0).sum() for layer in tile_engine.open_run(mini.out).layers("clusters").values()
    )
    stored = sum(p.stat().st_size for n in ("slides", "samples.zarr") for p in (mini.out / n).rglob("*") if p.is_file())
    assert stored / 3 < sizes.disk < 3 * stored


def test_events_tell_the_start_every_step_and_the_end(mini: Any, tmp_path: Path) -> None:
    told: list[Event] = []
    tile_engine.cluster(mini.slides, mini.copy(tmp_path / "out"), options=options(report=told.append), **mini.settings)
    assert told[0].kind == "start" and told[-1].kind == "done"
    assert {e.stage for e in told if e.kind == "progress"} == {"convert", "sample", "train", "apply", "map"}
    assert all(e.done == e.total for e in {e.text: e for e in told if e.kind == "progress"}.values())


def test_a_slide_of_a_csv_takes_its_spacing_and_columns_from_there(mini: Any, tmp_path: Path) -> None:
    write(tmp_path / "x.tif", np.full((200, 180, 3), 200, np.uint8), mpp=None)
    (tmp_path / "list.csv").write_text("File,mpp,Centre,age\nx,0.5,Ulm,7\ngone.tif,0.5,Ulm,8\n")
    events: list[Event] = []
    run = tile_engine.cluster(tmp_path / "list.csv", tmp_path / "out", options=options("convert", report=events.append))
    texts = {kind: [e.text for e in events if e.kind == kind] for kind in ("note", "warning", "rejected")}
    assert "list.csv: path <- File, mpp <- mpp, site <- Centre; kept as they are: age" in texts["note"]
    assert any("x -> x.tif" in text for text in texts["note"])
    assert any("1 of 2 rows name no file" in text for text in texts["warning"])
    assert any("less than 1 mm" in text for text in texts["warning"])
    assert len(texts["rejected"]) == 1 and [r["code"] for r in run.rejected.values()] == ["E_MISSING"]
    record = json.loads((run.out / "slides.json").read_text())[run.slides[0]]
    assert (record["site"], record["columns"], record["spacing"]) == ("Ulm", {"age": "7"}, [0.5, 0.5])
