"""The plane shows the cases of a run, whatever they are: where the table has them, of which image, and coloured by what."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from view_client import client_of

import tile_engine
from tile_engine.engine.runs.cluster.subjects.tree import group_of_subjects, groups_document
from tile_engine.engine.runtime.load import load
from tile_engine.engine.search.search import search
from tile_engine.engine.steps.list_columns import note_listed, noted_listed, own_name
from tile_engine.engine.view import cloud
from tile_engine.engine.view.cloud import table_of_cases
from tile_engine.engine.view.columns import Listed, names_in_plane, shown_columns
from tile_engine.engine.view.overview import image_document
from tile_engine.engine.view.places import components
from tile_engine.engine.view.static import write_page
from tile_engine.engine.view.viewed import orientation
from tile_engine.engine.view.viewer import Viewer, open_viewer
from tile_engine.stores.volumes.reader import open_volume


def head_and_columns(content: bytes) -> tuple[Any, list[Any], Any, Any]:
    """(head, float columns, images, fine clusters) of a plane, as the page reads it."""
    line, _, body = content.partition(b"\n")
    head = json.loads(line)
    count, floats = head["count"], 2 + len(head["axes"])
    assert (len(line) + 1) % 4 == 0 and len(body) == count * (4 * floats + 5)
    columns = [np.frombuffer(body, "<f4", count, 4 * count * i) for i in range(floats)]
    return head, columns, np.frombuffer(body, "<u4", count, 4 * count * floats), np.frombuffer(body[-count:], np.uint8)


def test_points_of_an_embedding_are_the_volumes_with_the_columns_of_the_list(finished: Callable[..., Any]) -> None:
    out = finished("embed", "volumes").out
    table, job = tile_engine.open_run(out).table("volumes"), load(out)
    with client_of(out) as client:
        run = client.get("runs")["runs"][0]
        head, (x, y), images, fine = head_and_columns(client.bytes("runs/0/plane"))
    assert (run["cases"], run["whole"], run["similar"], head["noun"]) == ("volume", True, True, "volume")
    assert [head["point_of"][image] for image in images] == list(range(6)) and not fine.any()
    ids = list(job.slides)
    rows = [list(table.obs["id"]).index(ids[image]) for image in images]
    np.testing.assert_allclose(np.stack([x, y], 1), table.obsm["X_pca"][rows], rtol=1e-6)
    columns = {column["name"]: column for column in head["columns"]}
    assert list(columns) == ["label", "age", "site"]
    assert columns["age"]["values"] == list(table.obs["age"].iloc[rows]) and columns["age"]["low"] == 20
    label = columns["label"]
    assert [label["names"][code - 1] for code in label["values"]] == list(table.obs["label"].iloc[rows])


def test_points_of_groups_are_the_subjects_at_every_level(finished: Callable[..., Any]) -> None:
    out = finished("cluster", "subjects").out
    groups = groups_document(load(out))
    with client_of(out) as client:
        run = client.get("runs")["runs"][0]
        head, _, images, fine = head_and_columns(client.bytes("runs/0/plane"))
        means = client.bytes("runs/0/means")
        status = client.ask("/api/runs/0/clusters", "POST", {"level": 2, "rows": []}, X_Tile_Engine="1")[0]
    assert {groups.subjects.index(name) for name in head["names"]} == set(range(len(head["names"])))
    assert (run["cases"], run["means"], run["tree"]["can_be_named"], head["noun"]) == (
        "subject",
        True,
        False,
        "subject",
    )
    assert status != 202, "relabel takes no names of groups"
    subjects = [groups.subjects.index(load(out).slides[list(load(out).slides)[image]].subject) for image in images]
    assert [groups.fine[subject] for subject in subjects] == fine.tolist()
    for level, shown in run["tree"]["levels"].items():
        wanted = group_of_subjects(groups, int(level))[subjects]
        assert [shown["number"][one] for one in fine] == wanted.tolist()
    assert sum(run["tree"]["tiles"]) == len(groups.subjects), "every subject is counted once"
    assert means == (out / "maps" / "groups.png").read_bytes()


def test_images_with_scores_are_ranked_by_the_first_one(finished: Callable[..., Any]) -> None:
    out = finished("anomaly", "volumes").out
    table = tile_engine.open_run(out).table("volumes")
    with client_of(out) as client:
        run = client.get("runs")["runs"][0]
        head, (x, y), images, _ = head_and_columns(client.bytes("runs/0/plane"))
        refused = client.get("runs/0/images/0/similar")
    scores = table.to_df()["pasted_neighbours"].to_numpy()[images]
    assert head["method"] == "pasted neighbours (up), highest on the left" and not run["similar"]
    assert np.argsort(x).tolist() == np.argsort(-scores, kind="stable").tolist()
    np.testing.assert_allclose(y, (scores - scores.min()) / np.ptp(scores), atol=1e-6)
    assert "no embeddings" in refused["none"]
    assert {"label", "pasted_neighbours"} <= {column["name"] for column in head["columns"]}


def test_similar_volumes_are_those_of_a_search(finished: Callable[..., Any]) -> None:
    out = finished("embed", "volumes").out
    job = load(out)
    hits = search(out, next(iter(job.slides)), k=3, save=False)
    with client_of(out) as client:
        found = client.get("runs/0/images/0/similar?k=3")
    assert [(hit["name"], hit["distance"]) for hit in found["hits"]] == [
        (hit.name, pytest.approx(hit.distance)) for hit in hits.rows
    ]
    assert found["query"]["image"] == 0 and found["query"]["centre"] == []
    assert found["cases"] - found["left_out"] == hits.searched


def test_an_image_that_is_only_looked_at_leaves_no_index(finished: Callable[..., Any], tmp_path: Path) -> None:
    out = finished("embed", "volumes").copy(tmp_path / "out")
    shutil.rmtree(out / "index", ignore_errors=True)
    with client_of(out, lambda *_: None) as client:
        looked = client.get("runs/0/images/0/similar?save=0")
        assert looked["hits"] and not (out / "index").exists()
        assert client.get("runs/0/images/0/similar") == looked and (out / "index").is_dir()


def test_a_table_that_is_being_written_has_no_plane(finished: Callable[..., Any], tmp_path: Path) -> None:
    """The root metadata comes last: all else may lie there already."""
    out = finished("embed", "volumes").copy(tmp_path / "out")
    (out / "tables" / "volumes.zarr" / "zarr.json").unlink()
    assert table_of_cases(load(out)) is None


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e9])
def test_numbers_of_any_range_lie_between_low_and_high(scale: float) -> None:
    values = np.random.default_rng(0).uniform(1, 2, 40) * scale
    values[3] = np.nan
    (column,), _ = shown_columns(Listed(pd.DataFrame({"dose": values}), [""] * 40, "point"))
    known = [value for value in column["values"] if value == value]
    assert len({*known}) == len(known) == 39 and (min(known), max(known)) == (column["low"], column["high"])
    np.testing.assert_allclose(column["values"], values, rtol=1e-5)


@pytest.mark.parametrize(("name", "own"), [("anomaly", "pasted_neighbours"), ("sites", "fold")])
def test_columns_of_the_list_of_images_with_scores_are_shown_and_not_sent(
    finished: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str, own: str
) -> None:
    job = load(finished(name, "volumes").out)
    cases = table_of_cases(job)
    assert cases is not None
    table = cloud.read_table(cases.path)
    wards = [f"w{row // 2}" for row in range(len(table.obs))]
    table.obs["ward"], table.obs["patient_name"] = wards, [f"Doe {row}" for row in range(len(table.obs))]
    note_listed(table, [*noted_listed(table), "ward", "patient_name"])
    monkeypatch.setattr(cloud, "read_table", lambda path: table)
    shown, sent = (cloud.cloud_of(job, cases, only) for only in (None, ()))
    assert {"age", "ward"} <= {one["name"] for one in shown.columns} and not shown.behind
    assert "patient_name" not in {one["name"] for one in shown.columns}
    assert {"ward", "patient_name"} == {*sent.behind} and own in sent.known
    assert "age" in {one["name"] for one in sent.columns}, "one of the usual ones"


@pytest.mark.parametrize("by", ["image", "point"])
def test_columns_that_name_a_case_are_not_shown_nor_sent(by: str) -> None:
    """Ten patients of two rows each: their names differ less than the rows do."""
    subjects = [f"s{row // 2}" for row in range(20)]
    columns = {
        "patient_name": [f"Doe {subject}" for subject in subjects],
        "mrn": [1000.0 + row // 2 for row in range(20)],
        "Sex": ["m", "m", "f", "f"] * 5,
        "ward": [f"w{row // 4}" for row in range(20)],
    }
    listed = Listed(pd.DataFrame(columns), subjects, by)
    shown, _ = shown_columns(listed)
    sent, behind = shown_columns(listed, ())
    assert [one["name"] for one in shown] == ["Sex", "mrn", "ward"] and all(
        "texts" in one for one in shown if "names" in one
    )
    assert [one["name"] for one in sent] == ["Sex"] and "texts" not in sent[0]
    assert behind == ("patient_name", "mrn", "ward")
    named, _ = shown_columns(listed, ("ward",))
    assert [one["name"] for one in named] == ["Sex", "ward"]


def test_parts_of_one_subject_are_a_column_though_each_text_is_of_that_subject_alone() -> None:
    regions = {"region": ["cortex", "hippocampus", "cerebellum"] * 4, "block": [f"b{row}" for row in range(12)]}
    shown, _ = shown_columns(Listed(pd.DataFrame(regions), ["s1"] * 12, "image"))
    assert [one["name"] for one in shown] == ["region"], "a block names its slide"


def test_similar_subjects_are_nearest_by_their_embeddings(finished: Callable[..., Any]) -> None:
    out = finished("cluster", "subjects").out
    vectors = np.asarray(tile_engine.open_run(out).table("subjects").X, np.float64)
    far = np.linalg.norm(vectors - vectors[0], axis=1)
    with client_of(out) as client:
        found = client.get("runs/0/images/0/similar?k=3")
    order = np.argsort(far, kind="stable")[1:4]
    assert [hit["image"] for hit in found["hits"]] == order.tolist(), "each subject of this cohort has one volume"
    assert [hit["distance"] for hit in found["hits"]] == pytest.approx(far[order].tolist(), rel=1e-5)


def test_one_feature_is_a_line_and_one_case_a_point() -> None:
    assert components(np.arange(3.0)[:, None], np.arange(3))[:, 1].tolist() == [0, 0, 0]
    assert components(np.ones((1, 4)), np.arange(1)).tolist() == [[0, 0]]


def test_a_small_picture_of_a_volume_is_its_middle_axial_plane(finished: Callable[..., Any]) -> None:
    out = finished("embed", "volumes").out
    job = load(out)
    stored = job.stored(next(iter(job.slides)))
    middle = stored.read(stored.frames[0].box)[0][stored.frames[0].shape[0] // 2, ::-1].astype(float)
    with client_of(out) as client:
        small = Image.open(io.BytesIO(client.bytes("runs/0/images/0/thumbnail"))).convert("L")
    shown = np.asarray(small.resize(middle.shape[::-1]), float)
    assert np.corrcoef(shown.ravel(), middle.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_side_marked_left_is_the_patients_left(tmp_path: Path, mirrored: bool) -> None:
    """Whatever the order in the file: the left half is bright, and the mark on its side of the plane is L."""
    pixels = np.zeros((8, 6, 4), np.uint8)  # x, y, z
    pixels[: 4 if not mirrored else 8, :, :] = 200
    if mirrored:
        pixels[:4] = 0  # x runs to the Left: its upper half is the left
    affine = np.diag([-2.0 if mirrored else 2.0, 2, 2, 1])
    nibabel.save(nibabel.Nifti1Image(pixels, affine), tmp_path / "a.nii.gz")
    with open_volume(tmp_path / "a.nii.gz") as volume:
        cells = volume.read(volume.frames[0].box)[0]
        marks = orientation(tuple(map(tuple, volume.canonical_affine)))
    coronal = cells[::-1, 0]  # as a slice is drawn: rows z, columns x
    left, right = coronal[:, :4].mean(), coronal[:, 4:].mean()
    assert marks[2] == ["L", "R"] and left > right


def test_no_side_is_marked_that_no_file_states(
    finished: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by the viewer nor on a page to send; the note of the file is there."""
    job = load(finished("embed", "volumes").out)
    first, *others = job.slides
    note = "its header states no orientation"
    slides = {first: replace(job.slides[first], notes=(note,))} | {one: job.slides[one] for one in others}
    monkeypatch.setattr(Viewer, "job", lambda self, number: replace(job, slides=slides))
    viewer = open_viewer(job.folder.out)
    unsided, sided = (image_document(viewer, 0, image) for image in (0, 1))
    assert (unsided["marks"], unsided["assumed"]) == ([], [note])
    assert (sided["marks"][2], sided["assumed"]) == (["L", "R"], [])
    answers = (write_page(viewer, tmp_path / "page").parent / "answers.js").read_text()
    assert answers.count('"marks":[]') == 1 and note in answers


@pytest.mark.parametrize("least", [0.0, 0.5])
def test_values_below_the_least_one_are_clear(finished: Callable[..., Any], least: float) -> None:
    with client_of(finished("anomaly", "volumes").out) as client:
        overlays = client.get("runs/0/images/0")["overlays"]
        number = next(one["number"] for one in overlays if one["kind"] == "values")
        cells = client.server.viewer.grid(0, 0, number).cells[0, ::-1]
        png = client.bytes(f"runs/0/images/0/overlays/{number}/slice?axis=0&at=-1e9&min={least}")
    alpha = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))[..., 3]
    assert ((alpha > 0) == (cells >= max(1, 1 + round(least * 254) if least else 1)))[cells != 1].all()


def test_a_long_heading_is_found_under_the_name_that_tables_give_it() -> None:
    heading = "how often did you in the last week " * 9
    records = {"a": SimpleNamespace(columns={heading: "1"})}
    job: Any = SimpleNamespace(slides=records, settings=SimpleNamespace(class_column="label"))
    assert own_name(heading, ()) != heading and own_name(heading, ()).casefold() in names_in_plane(job, heading.upper())
