"""Groups of subjects: three planted groups come back with what the list says of them; volumes without groups are one group."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.api.running import plan
from tile_engine.engine.pipeline.settings import settings_of
from tile_engine.engine.runs.cluster.subjects.cases import Subjects, subject_columns, subjects_of
from tile_engine.engine.runs.cluster.subjects.documents import Groups
from tile_engine.engine.runs.cluster.subjects.settings import SubjectSettings
from tile_engine.errors import SettingsError

SUBJECTS, SIZES = 27, (2.0, 4.5, 7.0)
OPTIONS = RunOptions(cluster=ClusterOptions(cluster="none"))
SETTINGS: dict[str, Any] = {"subjects": True, "embedding": "components", "threads": 1}


def head(seed: int, hole: float) -> np.ndarray:
    """A ball with a hole of this radius, int16 (x, y, z)."""
    draw = np.random.default_rng(seed)
    x, y, z = (np.arange(n) - (n - 1) / 2 for n in (20, 24, 20))
    grid = np.meshgrid(x, y, z, indexing="ij")
    ball = (grid[0] / 9) ** 2 + (grid[1] / 11) ** 2 + (grid[2] / 9) ** 2 < 1
    middle = sum((g - draw.uniform(-0.5, 0.5)) ** 2 for g in grid) < (hole + draw.normal(0, 0.15)) ** 2
    return (400.0 * ball - 250.0 * middle + draw.normal(0, 6, ball.shape) + 20).clip(0).astype(np.int16)


def cohort(root: Path, sizes: tuple[float, ...]) -> Path:
    """27 subjects with holes of these sizes in turn; three of them have a second session, at another site."""
    root.mkdir()
    rows = []
    for i in range(SUBJECTS):
        for session in range(2 if i < 3 else 1):
            name = f"s{i:02}-{session}.nii.gz"
            volume = head(100 * session + i, sizes[i % len(sizes)])
            nibabel.save(nibabel.Nifti1Image(volume, np.diag([2.0, 2, 2, 1])), root / name)
            age = 30 + 15 * (i % 3) + i % 4 + 2 * session
            sex, site = ("F", "m", "M", "f")[i % 4], ("A", "B")[(i // 3 + session) % 2]
            rows.append({"path": name, "subject": f"s{i:02}", "age": age, "sex": sex, "site": site, "code": f"c{i}"})
            rows[-1]["group"] = ("control", "patient")[i % 2]
    with (root / "list.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return root / "list.csv"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    root = tmp_path_factory.mktemp("subjects")
    images = cohort(root / "volumes", SIZES)
    run = tile_engine.cluster(volumes=images, out=root / "out", options=OPTIONS, **SETTINGS)
    return SimpleNamespace(run=run, out=root / "out", images=images)


def test_planted_groups_are_found_and_recommended(done: SimpleNamespace) -> None:
    assert done.run.status == "done" and done.run.validity["k"] == 3 and done.run.validity["drawn"] == "subjects"
    table = done.run.table("subjects")
    assert len(table) == SUBJECTS and table.obs["volumes"].tolist() == [2] * 3 + [1] * 24
    groups = table.obs["group"].to_numpy()
    assert [len(set(groups[i::3].tolist())) for i in range(3)] == [1, 1, 1] and set(groups.tolist()) == {1, 2, 3}
    assert (table.obs["silhouette"] > 0.3).all() and np.isfinite(table.X).all()
    two = table.obs["level_2"].to_numpy()
    assert all(len(set(two[groups == g].tolist())) == 1 for g in (1, 2, 3)), "coarser levels unite groups"


def test_the_list_is_held_against_the_groups_by_subject(done: SimpleNamespace) -> None:
    found = done.run.document("associations")
    columns = {row["column"]: row for row in found["columns"]}
    assert columns["age"]["q"] < 0.01 and columns["age"]["effect"] > 0.8 and columns["age"]["subjects"] == SUBJECTS
    assert columns["sex"]["q"] > 0.05 and not columns["sex"]["is_number"], "m and M are one value"
    assert columns["site"]["subjects"] == SUBJECTS - 3, "three subjects were scanned at both sites"
    names = set(done.run.table("subjects").obs)
    assert "listed_group" in names and set(columns) <= names, "one name in the table and in the comparison"
    assert any("s00, s01, s02" in note for note in found["notes"])
    assert [text.split(" ")[0] for text in found["left_out"]] == ["code"]
    groups = done.run.table("subjects").obs["group"].to_numpy()
    old = next(r for r in found["differences"] if r["group"] == groups[2] and r["column"] == "age")
    assert old["inside"] == pytest.approx(done.run.table("subjects").obs["age"].to_numpy()[2::3].mean())
    assert old["low"] < old["effect"] < old["high"] and old["size"] > 1


def test_report_and_files_say_what_was_found(done: SimpleNamespace) -> None:
    page = (done.out / "report.html").read_text()
    assert "3 groups of subjects can be told apart reproducibly" in page and "less that of all other subjects" in page
    assert "Hedges" in page and "There are only" not in page
    for name in ("groups", "plane", "k"):
        assert (done.out / "maps" / f"{name}.png").stat().st_size > 10_000
    rows = list(csv.DictReader((done.out / "subjects.csv").open()))
    assert len(rows) == SUBJECTS and rows[0]["subject"] == "s00" and rows[0]["age"] == "31.0" and rows[0]["site"] == ""


def test_another_level_is_shown_without_finding_groups_again(done: SimpleNamespace) -> None:
    before = {name: (done.out / "models" / f"{name}.json").stat().st_mtime_ns for name in ("validity", "groups")}
    run = tile_engine.relabel(done.out, 2, options=OPTIONS)
    assert set(run.table("subjects").obs["group"]) == {1, 2} and run.document("associations")["level"] == 2
    assert {name: (done.out / "models" / f"{name}.json").stat().st_mtime_ns for name in before} == before
    with pytest.raises(SettingsError, match="--classes"):
        tile_engine.relabel(done.out, classes="", options=OPTIONS)
    with pytest.raises(SettingsError, match="no level of 40"):
        tile_engine.relabel(done.out, 40, options=OPTIONS)
    tile_engine.relabel(done.out, 0, options=OPTIONS)


def test_a_search_says_that_there_are_no_cases(done: SimpleNamespace) -> None:
    with pytest.raises(SettingsError, match="--subjects` leaves none") as error:
        tile_engine.search(done.out, "s00")
    assert error.value.code == "E_NO_TABLE"


def test_subjects_that_are_alike_are_one_group_and_that_is_said(tmp_path: Path) -> None:
    images = cohort(tmp_path / "volumes", (4.0,))
    run = tile_engine.cluster(volumes=images, out=tmp_path / "out", options=OPTIONS, objective="ward", **SETTINGS)
    obs = run.table("subjects").obs
    assert run.validity["k"] == 1 and set(obs["group"]) == {1} and obs["silhouette"].isna().all()
    page = run.report.read_text()
    assert "No groups of subjects come back" in page and "No group is compared" in page


def test_too_few_subjects_are_refused_before_any_work(done: SimpleNamespace, tmp_path: Path) -> None:
    few = sorted(done.images.parent.glob("s0[0-4]-0.nii.gz"))
    with pytest.raises(SettingsError, match="5 subjects") as error:
        tile_engine.cluster(volumes=few, out=tmp_path / "out", options=OPTIONS, **SETTINGS)
    assert error.value.code == "E_FEW_SUBJECTS" and not (tmp_path / "out" / "volumes").exists()


def test_a_level_that_no_tree_of_the_subjects_has_is_refused_by_plan_and_run(
    done: SimpleNamespace, tmp_path: Path
) -> None:
    images, settings = {"volumes": done.images}, {**SETTINGS, "level": 40}
    with pytest.raises(SettingsError, match=rf"--level 40: the tree of {SUBJECTS} subjects has at most") as planned:
        list(plan("cluster", images, tmp_path / "out", options=OPTIONS, settings=settings))
    with pytest.raises(SettingsError) as refused:
        tile_engine.cluster(**images, out=tmp_path / "out", options=OPTIONS, **settings)
    assert [(e.value.code, e.value.message) for e in (planned, refused)] == [("E_LEVEL", planned.value.message)] * 2
    assert not (tmp_path / "out" / "volumes").exists()


def test_settings_that_fit_no_subjects_are_refused() -> None:
    for given, said in (({"network": "yamaguchi"}, "16 networks"), ({"subjects": False}, "leave the option out")):
        with pytest.raises(SettingsError, match=said):
            settings_of(given, SubjectSettings)
    with pytest.raises(SettingsError, match="subjects"):
        tile_engine.cluster(slides="nowhere", subjects=True)


def record(subject: str, **columns: str) -> Any:
    values = {"subject": subject, "site": columns.pop("site", ""), **columns}
    return SimpleNamespace(subject=subject, id=f"id-{subject}", columns=columns, column=lambda n: values.get(n, ""))


def test_a_subject_is_the_mean_of_its_volumes_and_has_the_values_they_share() -> None:
    first, again = record("a", age="40", sex="F"), record("a", age="42", sex="F")
    records = [first, record("b", age="n", sex="M"), again, record("", age="50"), record("c", age="999")]
    job: Any = SimpleNamespace(slides=dict(enumerate(records)))
    subjects = subjects_of(job)
    assert subjects.names == ("a", "b", "id-", "c") and subjects.volumes.tolist() == [2, 1, 1, 1]
    means = subjects.means(np.array([[1.0], [5.0], [3.0], [7.0], [9.0]]))
    np.testing.assert_allclose(means, [[2.0], [5.0], [7.0], [9.0]])
    found = subject_columns(job, subjects)
    np.testing.assert_array_equal(found.values["age"], [41.0, np.nan, 50.0, np.nan])
    assert found.values["sex"].tolist() == ["F", "M", "", ""] and "site" not in found.values
    assert found.notes == (
        "age is no number in n: it counts as unknown",
        "age has 999 for a value that is missing: it counts as unknown",
    )
    assert Subjects(("x",), np.zeros(2, int)).volumes.tolist() == [2]


def test_a_document_of_an_earlier_version_is_read_and_its_silhouettes_are_not_written_again() -> None:
    now = {"subjects": ["a"], "fine": [1], "parents": [0], "recommended": 1, "found": 1, "colours": ["#aabbcc"]}
    read = Groups.model_validate(now | {"silhouettes": [0.5]})
    assert read.model_dump(mode="json") == now | {"schema_version": 2}
