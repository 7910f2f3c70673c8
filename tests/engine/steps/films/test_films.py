"""Films of a cohort: batches, films that are lost one by one, labels by a report, modalities, rows as training reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from conftest import write_dicom_film
from PIL import Image

from tile_engine import ClusterOptions, RunOptions, open_run
from tile_engine.engine.api.running import run
from tile_engine.engine.pipeline.image_documents import read_images, write_images
from tile_engine.engine.pipeline.record import FilmFile
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runs.anomaly.films import FILMS
from tile_engine.engine.runs.anomaly.table import write_row_table
from tile_engine.engine.runs.classify.table import write_film_table
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.start import resume
from tile_engine.engine.steps.films.index import check_rule, film_index, write_index
from tile_engine.engine.steps.films.rows import FilmRows
from tile_engine.engine.steps.films.settings import parse_rule
from tile_engine.errors import NoInputError, SettingsError
from tile_engine.stores.films.synthetic import draw_film

CONVERT = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert", "sample"))


def picture(path: Path, seed: int = 0, side: int = 32) -> Path:
    film = draw_film(side, np.random.default_rng(seed))
    Image.fromarray(np.rint(film * 255).astype(np.uint8)).save(path)
    return path


def cohort(folder: Path, rows: list[str], head: str = "path,subject,label") -> Path:
    (folder / "list.csv").write_text("\n".join([head, *rows]) + "\n")
    return folder / "list.csv"


def converted(films: Path, out: Path, **settings: Any) -> Path:
    run(
        "anomaly",
        {"films": films},
        out,
        options=CONVERT,
        settings={"side": 32, "threads": 1, "holdout": 0.1, **settings},
    )
    return out


def normal_films(folder: Path, count: int = 12) -> list[str]:
    return [f"{picture(folder / f'{i}.png', i).name},s{i},normal" for i in range(count)]


def test_a_film_that_cannot_be_read_is_left_out_by_name_and_the_others_of_its_batch_are_used(tmp_path: Path) -> None:
    rows = normal_films(tmp_path)
    (tmp_path / "broken.png").write_bytes((tmp_path / "0.png").read_bytes()[:200])
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / "colour.png")
    out = converted(cohort(tmp_path, [*rows, "broken.png,x,normal", "colour.png,y,normal"]), tmp_path / "out")
    done = open_run(out)
    lost = {one["name"]: one["code"] for one in done.rejected.values()}
    assert set(lost) == {"broken.png", "colour.png"}
    index = film_index(load(out).folder)
    assert len(index) == 14 and len(index.used) == 12
    assert set(index.texts["name"][index.texts["reason"] == "unreadable"]) == set(lost)
    # the same command again keeps what it said of them
    assert {one["name"] for one in open_run(converted(tmp_path / "list.csv", out)).rejected.values()} == set(lost)


def test_films_are_stored_as_they_look_and_xarray_opens_the_store(tmp_path: Path) -> None:
    rows = normal_films(tmp_path)
    film = draw_film(32, np.random.default_rng(7))
    write_dicom_film(tmp_path / "dark.dcm", np.rint((1 - film) * 4095).astype(np.uint16))
    out = converted(cohort(tmp_path, [*rows, "dark.dcm,x,normal"]), tmp_path / "out")
    store: xr.Dataset = open_run(out).films
    assert store["films"].dims == ("film", "y", "x") and store["films"].shape == (13, 32, 32)
    names = store["name"].values.tolist()
    stored = store["films"].values[names.index("dark.dcm")] / 255
    assert np.abs(stored - film).max() < 0.02  # MONOCHROME1 is turned round
    drawn = np.asarray(Image.open(tmp_path / "3.png"))
    assert (store["films"].values[names.index("3.png")] == drawn).all()
    assert "Secret" not in "".join(p.read_text("latin-1") for p in out.rglob("*") if p.is_file())


def test_a_file_of_another_modality_is_left_out_unless_it_is_asked_for(tmp_path: Path) -> None:
    rows = normal_films(tmp_path)
    values = np.rint(draw_film(32, np.random.default_rng(1)) * 4095).astype(np.uint16)
    write_dicom_film(tmp_path / "ct.dcm", values, Modality="CT", PhotometricInterpretation="MONOCHROME2")
    films = cohort(tmp_path, [*rows, "ct.dcm,x,normal"])
    reasons = film_index(load(converted(films, tmp_path / "out")).folder).texts["reason"]
    assert sorted(set(reasons)) == ["", "other modality (CT)"]
    everything = film_index(load(converted(films, tmp_path / "all", modality="all")).folder)
    assert len(everything.used) == 13
    alone = film_index(load(converted(films, tmp_path / "png", modality="all", normal="any")).folder)
    assert set(alone.texts["modality"]) == {"", "CT"}


def test_two_columns_of_a_report_make_labels_and_their_disagreement_leaves_films_out(tmp_path: Path) -> None:
    pictures = [picture(tmp_path / f"{i}.png", i).name for i in range(14)]
    reports = [("none", "ok")] * 11 + [("nodule", "recall"), ("none", "recall"), ("", "ok")]
    rows = [f"{name},s{i},{a},{b}" for i, (name, (a, b)) in enumerate(zip(pictures, reports, strict=True))]
    films = cohort(tmp_path, rows, "path,subject,finding,verdict")
    out = converted(films, tmp_path / "out", normal_if="finding=none|clear,verdict=ok")
    index = film_index(load(out).folder)
    labels = dict(zip(index.texts["name"], zip(index.texts["label"], index.texts["reason"], strict=True), strict=True))
    assert labels["0.png"] == ("normal", "") and labels["11.png"] == ("abnormal", "")
    assert labels["12.png"] == ("", "the two columns of the report disagree")
    assert labels["13.png"] == ("", "a column of the report is empty")
    with pytest.raises(SettingsError, match="no film has a value in the column 'conclusion'"):
        converted(films, tmp_path / "no", normal_if="finding=none,conclusion=ok")
    # a trained network judges films of new lists whether they have labels or not
    job: Any = load(out)
    taken = {"normal_if": job.settings.normal_if, "label": "diagnosis"}
    for rule in (job.settings.normal_if, "finding=none,conclusion=ok"):
        settings = SimpleNamespace(rule=parse_rule(rule), normal_if=rule, modality="all", side=32, needs_labels=False)
        settings.label = settings.class_column = "diagnosis"
        new = replace(job, settings=settings)
        check_rule(new, taken=taken | {"normal_if": rule})
        write_index(new, Unit("index", "index"))
        index = film_index(job.folder)
        assert len(index.used) == 14 and ("abnormal" in index.texts["label"]) == (rule == taken["normal_if"])
        with pytest.raises(SettingsError, match="--label diagnosis: the list has no such column"):
            check_rule(new, taken={"normal_if": rule, "label": "label"})
    with pytest.raises(SettingsError, match="no film has a value in the column 'conclusion'"):
        check_rule(new, taken=taken)


def test_a_rule_that_was_asked_for_is_refused_where_neither_list_nor_set_has_a_value_for_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "new.npz", x=np.zeros((2, 32, 32), np.uint8), finding=np.array(["none", "nodule"]))
    file = FilmFile("new.npz", str(tmp_path / "new.npz"), "", part="x", count=2, total=2, columns={"verdict": ""})
    settings = SimpleNamespace(
        rule=parse_rule("finding=none,verdict=ok"), normal_if="finding=none,verdict=ok", label="label"
    )
    job: Any = SimpleNamespace(slides={"a": SimpleNamespace(films=(file,))}, settings=settings)
    with pytest.raises(SettingsError, match="no film has a value in the column 'verdict'; the list has finding"):
        check_rule(job, taken={"normal_if": "", "label": "label"})
    check_rule(job, taken={"normal_if": settings.normal_if, "label": "label"})  # of a trained run: not asked for
    job.slides["a"].films = (replace(file, columns={"verdict": "ok"}),)
    check_rule(job)


@pytest.mark.parametrize("text", ["finding=none", "a=b,c=d,e=f", "a=,b=c", "a=b,a=c"])
def test_a_rule_names_two_columns_and_their_values(text: str) -> None:
    with pytest.raises(ValueError, match="no rule of two columns"):
        parse_rule(text)


def test_rows_are_those_of_the_store_whether_they_are_in_memory_or_not(
    finished: Callable[[str, str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = load(finished("anomaly", "films").out).folder
    everything = open_run(folder.out).films["films"].values
    rows = np.array([0, 3, 17, 255, 256, 261])
    held = FilmRows(folder, rows)
    monkeypatch.setattr("tile_engine.engine.steps.films.rows.IN_MEMORY", 0)
    read = FilmRows(folder, rows)
    for films in (held, read):
        assert len(films) == 6 and (films[np.array([1, 4])] == everything[[3, 256], None]).all()


def test_a_cohort_without_a_film_is_refused(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.txt").write_text("no film")
    with pytest.raises(NoInputError, match="holds no films"):
        converted(tmp_path / "films", tmp_path / "out")


def test_a_stage_done_again_reads_the_heading_of_the_list_and_refuses_a_column_that_it_lacks(tmp_path: Path) -> None:
    rows = [f"{picture(tmp_path / f'{i}.png', i).name},s{i},M" for i in range(12)]
    out = converted(cohort(tmp_path, rows, "path,subject,Gender"), tmp_path / "out", label="Gender", normal="M")
    options = replace(CONVERT, stages=("sample",), redo=True)
    resume(out, options=options, label="Gender")
    before = {path: path.read_bytes() for path in sorted(out.glob("*.json"))}
    assert load(out).settings.class_column == "sex"
    with pytest.raises(SettingsError, match=r"the list has no such column.*Did you mean sex"):
        resume(out, options=options, label="Sexx")
    assert {path: path.read_bytes() for path in sorted(out.glob("*.json"))} == before


def test_tables_of_films_have_the_columns_of_the_list(finished: Callable[[str, str], Any], tmp_path: Path) -> None:
    """Of runs that score films and of runs that classify them, with the list's columns changed after the run."""
    for name, write in (("anomaly", partial(write_row_table, medium=FILMS)), ("classify", write_film_table)):
        out = finished(name, "films").copy(tmp_path / name)
        job, records = load(out), {}
        for batch, record in read_images(job.folder).items():
            further = {"age": "61.5", "part": "left"}
            files = [f if f.total > 1 else replace(f, columns={**f.columns, **further}) for f in record.films]
            records[batch] = replace(record, films=tuple(files))
        write_images(job.folder, records)
        before = open_run(out).table("films").obs
        write(job, Unit("table", "table"))
        table = open_run(out).table("films").obs
        part = "list part" if "part" in before else "part"
        assert {*table} - {*before} == {"age", part}
        alone = ~table["name"].str.contains("set.npz")
        assert 12 <= alone.sum() < 30 and (table["age"][alone] == 61.5).all() and table["age"][~alone].isna().all()
        assert (table[part][alone] == "left").all() and (table[part][~alone] == "").all()
