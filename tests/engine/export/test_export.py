"""Exported volumes lie where their source lies, hold what the run holds, and write over nobody's files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

import tile_engine
from tile_engine import ExportChoices, RunOptions
from tile_engine.cli.app import app
from tile_engine.engine.maintenance.verify import verify
from tile_engine.engine.pipeline.progress import Event
from tile_engine.errors import SettingsError, UnfinishedError
from tile_engine.stores import regrid
from tile_engine.stores.files import partial_path
from tile_engine.stores.image import StoredImage, attributes_of
from tile_engine.stores.remote import to_path
from tile_engine.version import VERSION

STEM = "sub-01/ses-b/anat/sub-01_ses-b"
MARKER = (19, 8, 13)
STEP = 4


def source(out: Path, number: int = 1) -> Any:
    return nibabel.load(next((out.parent / "tree").glob(f"sub-0{number}/*/*/*.nii.gz")))


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def exported(oblique: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "nifti"
    found = tile_engine.open_run(oblique).export(folder=folder)
    assert len(found.written) == 10 and found.images == 2 and not found.kept and not found.unfinished
    return folder


def test_the_files_have_the_names_of_bids_derivatives(exported: Path) -> None:
    names = [
        "_desc-harmonizedSiteA_T1w.json",
        "_desc-harmonizedSiteA_T1w.nii.gz",
        *(f"_desc-{name}_dseg.{end}" for name in ("marker", "tissue") for end in ("json", "nii.gz", "tsv")),
        "_desc-score_map.json",
        "_desc-score_map.nii.gz",
        "_res-layer_desc-embedding_map.json",
        "_res-layer_desc-embedding_map.nii.gz",
    ]
    assert [n for n in files(exported) if n.startswith("sub-01")] == sorted(STEM + name for name in names)
    document = json.loads((exported / "dataset_description.json").read_text())
    assert document["DatasetType"] == "derivative" and document["GeneratedBy"][0]["Version"] == VERSION


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("grid", ["source", "layer"])
def test_a_marker_is_found_at_its_place_in_the_scanner(oblique: Path, tmp_path: Path, number: int, grid: str) -> None:
    """By nibabel alone: within a voxel of the source's grid, or within half a cell of the layer's own."""
    tile_engine.export(oblique, ExportChoices(folder=tmp_path / "a", grid=grid, layers=("marker",)))
    (path,) = (tmp_path / "a").glob(f"sub-0{number}/*/*/*marker_dseg.nii.gz")
    label, original = nibabel.load(path), source(oblique, number)
    at = np.unravel_index(np.asarray(original.dataobj).argmax(), original.shape)
    true = (original.affine @ [*at, 1])[:3]
    voxels = (np.linalg.inv(label.affine) @ [*true, 1])[:3]
    cells = np.array(np.nonzero(np.asarray(label.dataobj) == 700)).T
    if grid == "source":
        assert label.shape == original.shape and np.array_equal(label.affine, original.affine)
        assert np.asarray(label.dataobj)[at] == 700 and len(cells) == STEP**3
    else:
        assert len(cells) == 1 and np.abs(voxels - cells[0]).max() <= 0.5
        assert nibabel.aff2axcodes(label.affine) == nibabel.aff2axcodes(original.affine)
        np.testing.assert_allclose(label.header.get_zooms(), np.array(original.header.get_zooms()) * STEP, rtol=1e-5)


@pytest.mark.parametrize("number", [1, 2])
def test_voxels_have_the_indices_of_the_source(oblique: Path, exported: Path, number: int) -> None:
    """A version is the source and 1; a label at each index is the one that the run has at the same place in the scanner."""
    original = source(oblique, number)
    named = {p.name.partition("desc-")[2]: nibabel.load(p) for p in exported.glob(f"sub-0{number}/*/*/*.nii.gz")}
    version, label = named["harmonizedSiteA_T1w.nii.gz"], named["tissue_dseg.nii.gz"]
    assert np.array_equal(np.asarray(version.dataobj), np.asarray(original.dataobj) + 1)
    assert np.array_equal(version.affine, original.affine) and np.array_equal(label.affine, original.affine)
    tissue = StoredImage.open(next((oblique / "volumes").glob(f"sub-0{number}*.ome.zarr")) / "labels" / "tissue")
    indices = np.argwhere(np.ones(label.shape, bool))
    places = np.c_[indices, np.ones(len(indices))] @ original.affine.T  # millimetres Right, Anterior, Superior
    of_cells = np.linalg.inv(np.array(tissue.placement.canonical_affine(tissue.frames[0])))
    cells = np.rint((places @ of_cells.T)[:, 2::-1]).astype(int)
    values = tissue.read(tissue.frames[0].box)[0][tuple(cells.T)]
    np.testing.assert_array_equal(np.asarray(label.dataobj)[tuple(indices.T)], values)
    assert 0 < values.mean() < 1


def test_values_are_those_of_the_run_in_their_own_types(oblique: Path, exported: Path) -> None:
    def load(name: str) -> Any:
        return nibabel.load(exported / f"{STEM}_{name}.nii.gz")

    original = nibabel.as_closest_canonical(source(oblique))
    assert load("desc-harmonizedSiteA_T1w").get_data_dtype() == np.int16
    store = next((oblique / "volumes").glob("sub-01*.ome.zarr"))
    for name, kind in (("labels/tissue", "dseg"), ("labels/marker", "dseg")):
        image = StoredImage.open(store / name)
        factor = [n // m for n, m in zip(original.shape[::-1], image.frames[0].shape, strict=True)]
        one = load(f"desc-{name[7:]}_{kind}")
        cells = np.asarray(nibabel.as_closest_canonical(one).dataobj).T
        index = [np.arange(n) // (STEP if f > 1 else 1) for n, f in zip(cells.shape, factor, strict=True)]
        np.testing.assert_array_equal(cells, image.read(image.frames[0].box)[0][np.ix_(*index)])
        assert one.get_data_dtype() == image.dtype and one.header["intent_code"] == 1002
    score = np.asarray(load("desc-score_map").dataobj)
    assert score.dtype == np.float32 and score.min() == 0.25
    np.testing.assert_allclose(score.max(), 0.25 + 0.5 * (7 / 8) ** 3)  # the centre of a voxel, an eighth of a cell off
    embedding = load("res-layer_desc-embedding_map")
    image = StoredImage.open(store / "layers" / "embedding")
    np.testing.assert_array_equal(
        np.asarray(nibabel.as_closest_canonical(embedding).dataobj).T, image.read(image.frames[0].box)
    )


def test_the_documents_say_sources_units_and_labels_and_nothing_of_the_header(exported: Path) -> None:
    table = (exported / f"{STEM}_desc-marker_dseg.tsv").read_text()
    assert table == "index\tname\tcolor\n700\tbright spot\t#0102ff\n"
    sidecar = json.loads((exported / f"{STEM}_desc-harmonizedSiteA_T1w.json").read_text())
    assert sidecar["Sources"] == ["bids:raw:sub-01/ses-b/anat/sub-01_ses-b_T1w.nii.gz"] and sidecar["Units"] == "HU"
    assert sidecar["TileEngine"]["SpacingMillimetres"] == [1.5, 2.0, 2.5] and sidecar["TileEngine"]["Axes"] == "LAS"
    link = json.loads((exported / "dataset_description.json").read_text())["DatasetLinks"]["raw"]
    assert (exported / link / sidecar["Sources"][0].removeprefix("bids:raw:")).is_file()
    own_grid = json.loads((exported / f"{STEM}_res-layer_desc-embedding_map.json").read_text())
    assert "Resolution" in own_grid and own_grid["TileEngine"]["StoredAs"] == "float16"
    for name, data in files(exported).items():
        assert b"DOE" not in (gzip.decompress(data) if name.endswith(".gz") else data), name


def test_an_export_in_parts_leaves_the_same_bytes(
    oblique: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regrid, "BLOCK_BYTES", 20_000)
    largest = []
    read = regrid.Regridded.read
    monkeypatch.setattr(regrid.Regridded, "read", lambda *args: largest.append((found := read(*args)).nbytes) or found)
    tile_engine.export(oblique, ExportChoices(folder=tmp_path / "b"))
    assert {k: v for k, v in files(tmp_path / "b").items() if "sub-" in k} == {
        k: v for k, v in files(exported).items() if "sub-" in k
    }
    assert max(largest) <= 20_000 and len(largest) > 20


def test_what_is_there_is_kept_and_what_is_missing_is_written(copied: Callable[[], Path]) -> None:
    run = tile_engine.open_run(copied())
    run.out.chmod(0o710)
    first = run.export()
    assert Path(first.folder) == run.out / "nifti" and (run.out / "nifti").stat().st_mode & 0o777 == 0o710
    before = files(run.out / "nifti")
    (run.out / "nifti" / first.written[0]).unlink()
    partial_path(run.out / "nifti" / first.written[0]).write_bytes(b"of a killed export")
    second = run.export()
    assert second.written == first.written[:1] and len(second.kept) == 9
    assert files(run.out / "nifti") == before
    verdict = verify(run.out, full=True)
    assert not verdict.findings and not verdict.leftovers


@pytest.mark.parametrize("where", ["partial_file.PartialFile.commit", "write_durably"])
def test_an_export_that_ended_anywhere_goes_on(
    oblique: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Between receipt and name of the volume, and between the volume and its documents: nothing is taken for foreign."""
    choices = ExportChoices(folder=tmp_path, layers=("marker",))
    home = "tile_engine.stores." if "." in where else "tile_engine.engine.export.nifti."

    def ended(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(home + where, ended)
        tile_engine.export(oblique, choices)
    assert len(tile_engine.export(oblique, choices).written) == 2
    assert len(tile_engine.export(oblique, choices).kept) == 2 and not list(tmp_path.rglob("*.partial"))


def test_other_results_need_redo(copied: Callable[[], Path]) -> None:
    run = tile_engine.open_run(copied())
    run.export(layers=["score"])
    store = next((run.out / "volumes").glob("sub-01*.ome.zarr"))
    image = StoredImage.open(store / "layers" / "score")
    image.write(0, image.frames[0].box, image.read(image.frames[0].box) / 2)
    before = files(run.out / "nifti")
    with pytest.raises(SettingsError, match="other results") as refused:
        run.export(layers=["score"])
    assert refused.value.code == "E_OTHER_SETTINGS" and files(run.out / "nifti") == before
    redone = run.export(layers=["score"], options=RunOptions(redo=True))
    assert len(redone.written) == 1 and len(redone.kept) == 1
    assert np.asarray(nibabel.load(run.out / "nifti" / redone.written[0]).dataobj).max() <= 0.375


@pytest.mark.parametrize("redo", [False, True])
def test_a_file_that_is_not_ours_is_refused_and_stays(copied: Callable[[], Path], redo: bool) -> None:
    run = tile_engine.open_run(copied())
    options, folder = RunOptions(redo=redo), run.out / "nifti"
    table = folder / f"{STEM}_desc-marker_dseg.tsv"
    table.parent.mkdir(parents=True)
    table.write_text("mine")
    with pytest.raises(SettingsError, match="was not exported") as refused:
        run.export(options=options)
    assert refused.value.code == "E_FOREIGN" and files(folder) == {f"{STEM}_desc-marker_dseg.tsv": b"mine"}
    table.unlink()
    run.export(layers=["marker"])
    corrected = folder / f"{STEM}_desc-marker_dseg.nii.gz"
    corrected.write_bytes(corrected.read_bytes()[::-1])
    with pytest.raises(SettingsError, match="was changed after"):
        run.export(options=options)
    corrected.unlink()
    corrected.symlink_to(run.out / "run.json")
    with pytest.raises(SettingsError, match="symbolic link"):
        run.export(options=options)
    folder.rename(run.out / "elsewhere")
    folder.symlink_to(run.out / "elsewhere")
    with pytest.raises(SettingsError, match="symbolic link"):
        run.export(options=options)


def test_a_data_set_of_another_program_is_refused_and_added_authors_stay(oblique: Path, tmp_path: Path) -> None:
    (tmp_path / "dataset_description.json").write_text('{"GeneratedBy": [{"Name": "fMRIPrep"}]}')
    with pytest.raises(SettingsError, match="two programs"):
        tile_engine.export(oblique, ExportChoices(folder=tmp_path))
    (tmp_path / "dataset_description.json").write_text('{"GeneratedBy": [{"Name": "tile-engine"}], "Authors": ["A"]}')
    tile_engine.export(oblique, ExportChoices(folder=tmp_path, layers=("marker",)))
    document = json.loads((tmp_path / "dataset_description.json").read_text())
    assert document["Authors"] == ["A"] and document["GeneratedBy"][0]["Version"] == VERSION


def test_a_layer_that_changes_meanwhile_is_not_exported(
    copied: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tile_engine.open_run(copied())
    store = next((run.out / "volumes").glob("sub-01*.ome.zarr"))
    image, read = StoredImage.open(store / "labels" / "marker"), regrid.Regridded.read

    def changing(*args: Any) -> Any:
        image.write(0, image.frames[0].box, np.zeros(image.frames[0].shape, np.uint16))
        return read(*args)

    monkeypatch.setattr(regrid.Regridded, "read", changing)
    with pytest.raises(UnfinishedError, match="changed while"):
        run.export(layers=["marker"])
    assert not list((run.out / "nifti").rglob("*marker*"))


@pytest.mark.parametrize(
    ("choices", "code", "said"),
    [
        ({"to": "dicom"}, "E_SETTINGS", "nifti"),
        ({"grid": "mni"}, "E_SETTINGS", "auto, source, layer"),
        ({"layers": ("cluster",)}, "E_NO_LAYER", "embedding, harmonized/site-A, marker, score, tissue"),
        ({"folder": "s3://bucket/x"}, "E_OUT", "object store"),
    ],
)
def test_what_cannot_be_is_refused(oblique: Path, choices: dict[str, Any], code: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        tile_engine.export(oblique, ExportChoices(**choices))
    assert refused.value.code == code and not (oblique / "nifti").exists()


def test_inside_the_images_only_derivatives_is_a_place(oblique: Path) -> None:
    tree = oblique.parent / "tree"
    with pytest.raises(SettingsError, match="derivatives"):
        tile_engine.export(oblique, ExportChoices(folder=tree / "mine"))
    found = tile_engine.export(oblique, ExportChoices(folder=tree / "derivatives" / "ours", layers=("marker",)))
    assert json.loads((Path(found.folder) / "dataset_description.json").read_text())["DatasetLinks"]["raw"] == "../.."


def test_a_run_without_labels_says_so_and_an_unfinished_layer_is_left_out(copied: Callable[[], Path]) -> None:
    run = tile_engine.open_run(copied())
    for store in (run.out / "volumes").iterdir():
        (store / "layers" / "score" / "zarr.json").write_text(
            '{"attributes": {"tile_engine": {"status": "incomplete"}}}'
        )
    with pytest.raises(SettingsError, match="not finished"):
        run.export(layers=["score"])
    assert [name.partition("/")[2] for name in run.export(layers=["score", "marker"]).unfinished] == [
        "layers/score"
    ] * 2


def test_slides_are_refused_with_what_there_is_instead(mini: Any) -> None:
    with pytest.raises(SettingsError, match=r"(?s)OME-Zarr 0.5.*geojson") as refused:
        tile_engine.export(mini.out)
    assert refused.value.code == "E_EXPORT" and not (mini.out / "nifti").exists()


def test_convert_writes_the_older_version_too(mini: Any, tmp_path: Path) -> None:
    def call(*words: str) -> Any:
        command = ["convert", str(mini.slides / "a.tif"), "--out", str(tmp_path / "out"), *words]
        return CliRunner().invoke(app, command, standalone_mode=False)

    plan = call("--ngff", "0.4", "--cluster", "none", "--dry-run", "--quiet")
    assert "ome-zarr-0.4: about as many bytes again" in plan.stdout and not (tmp_path / "out").exists()
    assert call("--ngff", "0.4", "--cluster", "none", "--quiet").exception is None
    (older,) = (tmp_path / "out" / "ome-zarr-0.4").glob("*.ome.zarr")
    store = zarr.open_group(older, mode="r", zarr_format=2)
    stored = zarr.open_group(tmp_path / "out" / "slides" / older.name, mode="r")
    np.testing.assert_array_equal(store["0"][0, :, 0], stored["0"][:])
    assert "give 0.4 or 0.5" in str(call("--ngff", "0.3").exception)
    assert "no OME-Zarr" in str(call("--ngff", "0.4", "--films").exception)


def test_a_run_in_an_object_store_is_exported_to_a_disk(oblique: Path, lab: Any, tmp_path: Path) -> None:
    remote = to_path(f"{lab.url}/run")
    for name, data in files(oblique).items():
        (remote / name).write_bytes(data)
    for out, folder in ((str(remote), "remote"), (oblique, "local")):
        tile_engine.export(out, ExportChoices(folder=tmp_path / folder, layers=("marker", "harmonized/site-A")))
    found = [{k: v for k, v in files(tmp_path / name).items() if "sub-" in k} for name in ("remote", "local")]
    assert found[0] == found[1] and len(found[0]) > 9
    with pytest.raises(SettingsError, match="part by part, to a disk"):
        tile_engine.export(str(remote))


def test_the_command_prints_what_it_wrote(oblique: Path, tmp_path: Path) -> None:
    def call(*words: str) -> str:
        done = CliRunner().invoke(app, ["export", str(oblique), "--out", str(tmp_path), *words], standalone_mode=False)
        assert done.exception is None, done.exception
        return done.stdout

    assert "2 files or stores written, for 2 images\n" in call("--to", "nifti", "--layer", "marker", "--quiet")
    words = ("--layer", "marker", "--layer", "score", "--grid", "layer", "--json")
    result = json.loads(call(*words).splitlines()[-1])
    assert result["exit"] == 0 and len(result["written"]) == 4 and not result["kept"]
    assert len(json.loads(call(*words).splitlines()[-1])["kept"]) == 4


@pytest.mark.xdist_group("cluster-volumes")  # whose finished run is made for the contract
def test_a_finished_run_is_exported(finished: Any, tmp_path: Path) -> None:
    """Clusters with their names and colours; fine clusters as labels, too; confidences between 0 and 1."""
    out = finished("cluster", "volumes").out
    found = tile_engine.export(out, ExportChoices(folder=tmp_path))
    names = {name.rpartition("_desc-")[2] for name in found.written}
    kinds = {"clusters_dseg", "tissue_dseg", "assignment_dseg", "confidence_map", "embedding_map"}
    assert names == {f"{kind}.nii.gz" for kind in kinds} and len(found.written) == 30
    run = tile_engine.open_run(out)
    stem = "sub-s0/anat/sub-s0_desc-"
    clusters = np.asarray(nibabel.load(tmp_path / f"{stem}clusters_dseg.nii.gz").dataobj).T
    assert clusters.shape == run.image(run.slides[0]).shape[1:]
    stored = run.layers("clusters")[run.slides[0]].values
    assert set(np.unique(clusters)) == set(np.unique(stored))
    rows = [line.split("\t") for line in (tmp_path / f"{stem}clusters_dseg.tsv").read_text().splitlines()]
    assert rows[0] == ["index", "name", "color"] and rows[1][:2] == ["1", "cluster 1"] and rows[1][2].startswith("#")
    confidence = np.asarray(nibabel.load(tmp_path / f"{stem}confidence_map.nii.gz").dataobj)
    assert confidence.min() >= 0 and confidence.max() <= 1


def test_ome_zarr_04_keeps_the_affine_repeats_labels_and_leaves_out_what_is_not_finished(
    copied: Callable[[], Path], tmp_path: Path
) -> None:
    out, events = copied(), list[Event]()
    choices = ExportChoices("ome-zarr-0.4", tmp_path / "a")
    done = tile_engine.export(out, choices, options=RunOptions(report=events.append))
    assert done.images == 2 and not done.unfinished
    assert [e.text for e in events if e.kind == "warning" and "states no rotation" in e.text]
    for volume in tile_engine.open_run(out).slides:
        store = out / "volumes" / f"{volume}.ome.zarr"
        group = zarr.open_group(tmp_path / "a" / f"{volume}.ome.zarr", mode="r", zarr_format=2)
        key = "coordinateTransformations"
        assert group.attrs["tile_engine"][key] == attributes_of(store)["tile_engine"][key]
        cells = StoredImage.open(store / "labels" / "marker").levels[0].read_all()
        index = np.indices(group["0"].shape[2:]) // STEP
        np.testing.assert_array_equal(group["labels/marker/0"][0, 0], cells[tuple(index)])
    first, second = (out / "volumes" / f"{volume}.ome.zarr" for volume in tile_engine.open_run(out).slides)
    for path in (first / "zarr.json", second / "labels" / "marker" / "zarr.json"):
        path.write_text(path.read_text().replace('"complete"', '"incomplete"'))
    left = tile_engine.export(out, ExportChoices("ome-zarr-0.4", tmp_path / "b"))
    names = [path.name.removesuffix(".ome.zarr") for path in (first, second)]
    assert set(left.unfinished) == {names[0], f"{names[1]}/labels/marker"} and left.written == (f"{names[1]}.ome.zarr",)
    (second / "zarr.json").write_text((first / "zarr.json").read_text())
    with pytest.raises(SettingsError, match="nothing to export") as caught:
        tile_engine.export(out, ExportChoices("ome-zarr-0.4", tmp_path / "c"))
    assert caught.value.code == "E_NO_LAYER" and not (tmp_path / "c").exists()


def test_options_that_a_format_has_not_are_refused(oblique: Path, tmp_path: Path) -> None:
    for choices, text in (
        (ExportChoices("ome-zarr-0.4", tmp_path / "a", grid="layer"), "--grid layer is for --to nifti"),
        (ExportChoices("h5", tmp_path / "a", layers=("tissue",)), "neither labels nor layers"),
        (ExportChoices("ome-zarr-0.4", tmp_path / "a", layers=("score",)), "no label 'score'"),
    ):
        with pytest.raises(SettingsError, match=text):
            tile_engine.export(oblique, choices)
    assert not any(tmp_path.iterdir())
