"""Whole volumes to vectors: one run of small phantoms through the command line, and what Python makes of it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest

import tile_engine
from tile_engine.engine.pipeline.documents import read_document
from tile_engine.engine.runs.embed.documents import EVALUATION, Evaluation
from tile_engine.engine.runs.embed.encode_new import encode
from tile_engine.engine.runs.embed.evaluate import evaluation
from tile_engine.engine.runs.embed.folds import trainings
from tile_engine.engine.runs.embed.page import _cautions
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.volumes.networks import model_name
from tile_engine.errors import NoInputError

COUNT = 20
SETTINGS = ["--embedding-size", "6", "--effort", "0.1", "--cv", "2", "--threads", "1", "--cluster", "none"]


def phantom(seed: int, wide: float) -> np.ndarray:
    """An ellipsoid with a hole, int16; `wide` is the hole's radius."""
    draw = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in (20, 24, 20)], indexing="ij")
    outer = (z / 8) ** 2 + (y / 10) ** 2 + (x / 8) ** 2 < 1
    inner = z**2 + y**2 + (x - draw.uniform(-1, 1)) ** 2 < wide**2
    values = 400.0 * outer - 250.0 * inner + draw.normal(0, 6, outer.shape) + 20
    return values.clip(0).astype(np.int16)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Twenty phantoms, two of each subject, of two classes but for two volumes; one file is no volume."""
    root = tmp_path_factory.mktemp("volumes")
    rows = []
    for i in range(COUNT):
        wide = (2.0, 4.5)[i // 2 % 2]
        values = phantom(i, wide).transpose(2, 1, 0)  # x, y, z
        nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 2.0, 2.0, 1.0])), root / f"case{i:02}.nii.gz")
        label = "" if i >= COUNT - 2 else ("small", "large")[i // 2 % 2]
        rows.append({"path": f"case{i:02}.nii.gz", "subject": f"s{i // 2}", "label": label, "age": 20 + 3 * i + i % 3})
    (root / "broken.nii.gz").write_bytes((root / "case00.nii.gz").read_bytes()[:300])
    rows.append({"path": "broken.nii.gz", "subject": "s99", "label": "small", "age": 5})
    with (root / "list.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return SimpleNamespace(root=root, list=root / "list.csv")


@pytest.fixture(scope="module")
def done(cohort: SimpleNamespace, mini: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("embed") / "out"
    told = mini.cli("run", "embed", "--volumes", cohort.list, "--out", out, *SETTINGS)
    assert told.returncode == 3, told.stderr  # one file was rejected
    return out


def test_a_volume_is_a_row_with_its_code_and_what_the_list_says(done: Path) -> None:
    run = tile_engine.open_run(done)
    table = run.volumes
    assert table.X.shape == (COUNT, 6) and np.isfinite(table.X).all()
    assert set(table.obs["subject"]) == {f"s{i}" for i in range(COUNT // 2)}
    assert sorted(table.obs["label"].unique()) == ["", "large", "small"]
    assert table.obs["age"].iloc[:2].tolist() == [20.0, 24.0]
    assert {name: table.obsm[name].shape for name in table.obsm} == dict.fromkeys(("X_pca", "X_tsne"), (COUNT, 2))
    assert [r["code"] for r in run.rejected.values()] == ["E_TRUNCATED"]
    assert run.exit_status == 3


def test_figures_are_of_folds_by_subject_beside_baselines(done: Path) -> None:
    found = json.loads((done / "models" / "evaluation.json").read_text())
    assert found["by_subject"] and list(found["folds"]) == ["fold-1", "fold-2"]
    assert sum(f["judged"] for f in found["folds"].values()) == COUNT
    assert found["classes"] == {"large": 8, "small": 10}
    assert set(found["methods"]) == {"onga", "principal components", "raw values"}
    for name, figures in found["methods"].items():
        assert {"macro precision@5", "map", "ndcg", "top1 macro f1"} <= set(figures)
        assert len(figures["map"]["folds"]) == 2
        if name != "raw values":
            assert {"rmse %", "k-means ari"} <= set(figures) and "age r" not in figures
    assert found["methods"]["raw values"]["macro map"]["mean"] > 0.8, "the classes are plain to see"
    assert found["left_out"] == ["age (not tried: a training set has 5 subjects with a number, of 20 needed)"]


def test_columns_are_predicted_where_training_sets_are_large_enough(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tile_engine.engine.runs.embed.number_columns.LEAST_SUBJECTS", 5)
    found = evaluation(load(done))
    one = found.methods["principal components"]["age r"]
    assert one.volumes == COUNT and one.low is not None and one.low <= one.mean <= one.high
    assert "age mean absolute error" in found.methods["onga"] and found.left_out == ()


def test_folds_keep_subjects_together_and_models_are_theirs(done: Path) -> None:
    from tile_engine.engine.runs.embed.folds import folds_of
    from tile_engine.engine.steps.covariates import covariates

    job = load(done)
    subjects = covariates(job).subjects
    for train, test in [rows for name, rows in folds_of(job).items() if name != "all"]:
        assert not set(subjects[train]) & set(subjects[test])
    weights = {p.stem for p in (done / "models").glob("*.safetensors")}
    assert weights == {"onga-all", "onga-fold-1", "onga-fold-2"}


def test_the_same_command_finds_everything_done(done: Path, cohort: SimpleNamespace, mini: Any) -> None:
    before = {p: p.stat().st_mtime_ns for p in done.rglob("*.safetensors")}
    told = mini.cli("run", "embed", "--volumes", cohort.list, "--out", done, *SETTINGS)
    assert told.returncode == 3
    assert {p: p.stat().st_mtime_ns for p in before} == before
    other = mini.cli("run", "embed", "--volumes", cohort.list, "--out", done, *SETTINGS, "--alpha", "0.5")
    assert other.returncode == 2 and "alpha" in other.stderr and "train networks" in other.stderr
    foreign = mini.cli("run", "cluster", "--slides", mini.slides, "--out", done)
    assert foreign.returncode == 2 and "[E_OTHER_RUN]" in foreign.stderr


def test_a_volume_is_encoded_anew_as_it_was_in_the_run(done: Path, cohort: SimpleNamespace) -> None:
    job = load(done)
    records, codes = encode(job, [str(cohort.root / "case03.nii.gz")])
    table = tile_engine.open_run(done).volumes
    (row,) = np.flatnonzero(table.obs["name"] == "case03.nii.gz")
    assert records[0].name == "case03.nii.gz"
    np.testing.assert_allclose(codes[0], table.X[row], rtol=1e-5, atol=1e-6)
    with pytest.raises(NoInputError, match="broken"):
        encode(job, [str(cohort.root / "broken.nii.gz")])


def test_new_volumes_of_several_channels_are_left_out(done: Path, cohort: SimpleNamespace, tmp_path: Path) -> None:
    """Also where they are most of the new ones: the run's volumes have one, and which of several is meant is not known."""
    import zarr

    cells = np.stack([phantom(30, 2.0), phantom(31, 4.5)])
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space", "unit": "millimeter"} for n in "zyx")]
    scale = [{"type": "scale", "scale": [1.0, 2.0, 2.0, 2.0]}]
    stores = [tmp_path / "new" / f"{name}.ome.zarr" for name in "ab"]
    for store in stores:
        group = zarr.open_group(store, mode="w", zarr_format=3)
        group.create_array("0", shape=cells.shape, chunks=cells.shape, dtype="int16")[:] = cells
        datasets = [{"path": "0", "coordinateTransformations": scale}]
        group.attrs["ome"] = {"version": "0.5", "multiscales": [{"name": "a", "axes": axes, "datasets": datasets}]}
    job = load(done)
    with pytest.raises(NoInputError, match=r"a\.ome\.zarr.*has 2 channels"):
        encode(job, [str(stores[0])])
    records, _ = encode(job, [*map(str, stores), str(cohort.root / "case03.nii.gz")])
    assert [Path(r.path).name for r in records] == ["case03.nii.gz"]


def test_the_report_says_what_was_judged(done: Path) -> None:
    page = (done / "report.html").read_text()
    assert "principal components" in page and "broken.nii.gz" in page and "k-means ari" in page
    assert ">table and projections<" in page and ">report<" not in page, "the time of every step but the report's own"
    assert "network (onga)" in page
    assert (done / "maps" / "reconstructions.png").stat().st_size > 10_000


def test_the_report_says_where_networks_of_before_may_have_seen_who_they_judge(done: Path, tmp_path: Path) -> None:
    copytree(done, out := tmp_path / "out")
    job = load(out)
    rare = replace(job, settings=job.settings.model_copy(update={"cv": 99}))
    document = read_document(job.folder, EVALUATION, Evaluation)
    moved = "Volumes may have been judged by networks that saw their subjects."
    assert moved not in [caution.headline for caution in _cautions(rare, document)]
    name = model_name(*next(one for one in trainings(job) if one[1].startswith("fold-")))
    path = out / "models" / f"{name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rare_classes_spread": False}))
    assert moved == next(_cautions(rare, document)).headline
    assert moved not in [caution.headline for caution in _cautions(job, document)], "no class is rare"


def test_what_was_written_is_sound_and_can_be_mended(done: Path, mini: Any) -> None:
    assert mini.cli("verify", done, "--full").returncode in (0, 3)
    model = done / "models" / "onga-fold-1.safetensors"
    whole = model.read_bytes()
    model.write_bytes(whole[:-7])
    assert mini.cli("verify", done).returncode == 7
    assert mini.cli("repair", done, "--cluster", "none").returncode in (0, 3)
    assert model.read_bytes() == whole


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--label", "diagnosis"), "the list has no such column"),
        (("--objective", "triplet", "--label", "nothing"), "nothing"),
        (("--adversary", "1"), "sites"),
        (("--class-features", "--network", "yamaguchi-3x16"), "cannot hold class features"),
        (("--mask", "heads"), "there is no file 'heads'"),
        (("--shape", "30,32,32"), "multiples of 16"),
        (("--shape", "32"), "three sides"),
        (("--network", "resnet"), "yamaguchi-3x16"),
        (("--align", "rigid"), "template"),
        (("--cv", "1"), "folds"),
    ],
)
def test_settings_that_cannot_work_stop_before_any_work(
    cohort: SimpleNamespace, mini: Any, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    told = mini.cli("run", "embed", "--volumes", cohort.list, "--out", tmp_path / "out", *words)
    assert told.returncode == 2 and said in told.stderr
    assert not (tmp_path / "out" / "volumes").exists()


def test_subjects_on_both_sides_of_a_split_are_refused(cohort: SimpleNamespace, mini: Any, tmp_path: Path) -> None:
    rows = [f"{cohort.root}/case{i:02}.nii.gz,s{i // 2},{'train' if i % 2 else 'test'}" for i in range(6)]
    (tmp_path / "list.csv").write_text("\n".join(["path,subject,split", *rows]))
    told = mini.cli("run", "embed", "--volumes", tmp_path / "list.csv", "--out", tmp_path / "out", *SETTINGS)
    assert told.returncode == 2 and "both sides" in told.stderr and "s0, s1" in told.stderr


@pytest.mark.nightly
def test_masks_of_files_and_volumes_that_get_one_later(cohort: SimpleNamespace, mini: Any, tmp_path: Path) -> None:
    """A mask that is smaller, shifted and coarser than its volume; one that is missing at first."""
    source = nibabel.load(cohort.root / "case00.nii.gz")
    for name in ("a", "b"):
        nibabel.save(source, tmp_path / f"{name}.nii.gz")
    cells = np.zeros((5, 6, 5), np.uint8)
    cells[1:4, 1:5, 1:4] = 1
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = (5.0, 5.0, 5.0)  # its first cell begins at 3 mm; the volume's at -1
    nibabel.save(nibabel.Nifti1Image(cells, affine), tmp_path / "a_desc-brain_mask.nii.gz")
    words = [
        "run",
        "embed",
        "--volumes",
        str(tmp_path / "[ab].nii.gz"),
        "--out",
        str(tmp_path / "out"),
        "--mask",
        "given",
    ]
    words += [*SETTINGS, "--no-umap"]
    told = mini.cli(*words)
    assert told.returncode == 3 and "[E_NO_MASK]" in told.stderr
    assert [r["name"] for r in tile_engine.open_run(tmp_path / "out").rejected.values()] == ["b.nii.gz"]
    job = load(tmp_path / "out")
    from tile_engine.engine.steps.volumes.mask import mask_of

    found = mask_of(job, next(iter(job.slides.values())))
    where = np.argwhere(found)
    assert found.sum() == (3 * 2) * (4 * 2) * (3 * 2)
    assert where.min(0).tolist() == [4, 4, 4] and where.max(0).tolist() == [9, 11, 9]

    nibabel.save(nibabel.Nifti1Image(cells, affine), tmp_path / "b_desc-brain_mask.nii.gz")
    again = mini.cli(*words, "--redo")
    assert again.returncode == 0, again.stderr
    assert len(tile_engine.open_run(tmp_path / "out").volumes) == 2


@pytest.mark.parametrize(
    ("folder", "status", "used"),
    [
        pytest.param("bad/nibabel", 3, 4, marks=pytest.mark.nightly),
        ("bad/dicom", 3, 1),
        pytest.param("bad/msd-hippocampus-dirty", 0, 3, marks=pytest.mark.nightly),
    ],
)
def test_every_bad_file_is_accounted_for(
    data: Path, mini: Any, tmp_path: Path, folder: str, status: int, used: int
) -> None:
    out = tmp_path / "out"
    words = ["--shape", "32,32,32", "--voxel", "6", *SETTINGS, "--cv", "0"]
    told = mini.cli("run", "embed", "--volumes", data / folder, "--out", out, *words)
    assert told.returncode == status, told.stderr
    run = tile_engine.open_run(out)
    assert len(run.slides) == len(run.volumes) == used
    assert all(r["code"].startswith("E_") and r["message"] for r in run.rejected.values())
    told_of = json.dumps(run.rejected) + json.dumps(run.paths) + (out / "run.json").read_text()
    unnamed = {p.name for p in (data / folder).rglob("*") if p.is_file() and p.name not in told_of}
    assert all(name.endswith((".dcm", ".dcm.gz", ".IMA", ".hdr")) for name in unnamed), "but slices of a series"


@pytest.mark.nightly
def test_a_gang_trains_a_network_of_volumes(cohort: SimpleNamespace, mini: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--embedding-size", "4", "--effort", "0.02", "--cv", "0", "--threads", "1", "--no-umap"]
    told = mini.cli(
        *("run", "embed", "--volumes", cohort.list, "--out", out, *words),
        *("--cluster", "local", "--workers", "2", "--gang", "2"),
    )
    assert told.returncode == 3, told.stderr
    assert json.loads((out / "models" / "onga-all.json").read_text())["history"][-1]["step"] == 5
    assert tile_engine.open_run(out).volumes.X.shape == (COUNT, 4)
