"""What lies beside every report: its head as text, and the list of the run's images."""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.export.picked import Picked
from tile_engine.engine.maintenance.describe import describe
from tile_engine.engine.pipeline.record import Rejection
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runs.cluster.table import write_cluster_table
from tile_engine.engine.runtime.load import load
from tile_engine.engine.show.page import Column, ReportPage, Section, Table
from tile_engine.engine.steps.apply import looked_at
from tile_engine.engine.steps.report_files import _rows, kind_of_rejected, write_report_files
from tile_engine.stores.folder import Folder
from tile_engine.stores.tables import read_table

RUNS = {
    ("embed", "slide-tiles"): ("slides.csv", 3),
    ("cluster", "subjects"): ("volumes.csv", 6),
    ("register", "sections"): ("sections.csv", 2),
    ("classify", "films"): ("films.csv", 270),
}
"""A run on each kind of images -> its list, and the images in it."""


@pytest.mark.parametrize(("name", "variant"), RUNS)
def test_every_run_has_its_summary_and_the_list_of_its_images(
    finished: Callable[[str, str], Any], name: str, variant: str
) -> None:
    out: Path = finished(name, variant).out
    listed, count = RUNS[name, variant]
    with (out / listed).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count and {row["state"] for row in rows} <= {"used", "left out"}
    assert len({row["name"] for row in rows}) == count
    summary, page = (out / "summary.md").read_text(), (out / "report.html").read_text()
    assert summary.startswith("# ") and "[report.html](report.html)" in summary
    assert f'href="{listed}"' in page and 'href="summary.md"' in page
    assert f"tile-engine view {out.name}" in page
    assert {row.get("kind") for row in rows} == ({"block"} if listed == "sections.csv" else {None})


def test_volumes_are_listed_in_millimetres(finished: Callable[[str, str], Any]) -> None:
    job = load(finished("cluster", "subjects").out)
    with (job.folder.out / "volumes.csv").open() as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    for image, record in job.slides.items():
        row = rows[image]
        spacing = [float(row[f"spacing_{axis}_mm"]) * 1000 for axis in "xyz"]
        assert spacing == list(record.spacing[::-1]) and row["size"] == " x ".join(map(str, record.shape[::-1]))
        whole = math.prod(record.shape) * math.prod(spacing) / 1e9
        assert float(row["mask_mm3"]) == pytest.approx(float(row["mask"]) * whole, rel=1e-3)
        assert f"level 0: {row['size']} (x, y, z) at" in f"level {describe(job.folder.slide(image)).levels[0]}"


def test_rejected_blocks_and_sections_are_told_apart() -> None:
    section = Rejection("a.svs", "E_EMPTY", "", path="/a.svs")
    assert [kind_of_rejected(one) for one in (section, replace(section, path="", fingerprint="1-2"))] == ["section"] * 2
    assert kind_of_rejected(Rejection("case 7", "E_NO_REFERENCE", "")) == "block"
    assert kind_of_rejected(Rejection("case 7", "E_BAD_TILE", "", "pixels", "1-2")) == "block"


def test_tiles_of_the_list_are_all_tiles_and_not_those_of_the_table(finished: Callable[[str, str], Any]) -> None:
    out = finished("embed", "slide-tiles").out
    job = load(out)
    with (out / "slides.csv").open() as file:
        listed = {row["id"]: int(row["tiles"]) for row in csv.DictReader(file)}
    assert listed == {image: looked_at(job, image) for image in job.slides} and min(listed.values()) > 0
    counts = read_table(job.folder.table).obs["slide"].value_counts().to_dict()
    assert counts == listed, "the table of few tiles holds all"


def test_long_names_of_films_are_shortened(finished: Callable[[str, str], Any], tmp_path: Path) -> None:
    job = load(finished("classify", "films").out)
    job = replace(job, folder=Folder(shutil.copytree(job.folder.out, tmp_path / "out"), job.folder.images))
    film = replace(next(iter(job.slides.values())).films[0], name="long-" * 30 + "0.png")
    image, record = next(iter(job.slides.items()))
    job = replace(job, slides={**job.slides, image: replace(record, films=(film, *record.films[1:]))})
    table = Table((Column("Film"),), ((film.name,),))
    page = ReportPage(title="t", subtitle="s", facts=(), sections=(Section("Films", tables=(table,)),), footer="f")
    write_report_files(job, page)
    assert f'title="{film.name}"' in job.folder.report.read_text()


def test_the_list_and_the_table_have_the_columns_of_the_users_list(
    finished: Callable[[str, str], Any], tmp_path: Path
) -> None:
    job = load(finished("cluster", "slides").copy(tmp_path / "out"))
    texts = [{"diag": "A", "name": "x", "age": "61,5"}, {"diag": "b/c"}, {}]
    records = {
        image: replace(record, columns=columns)
        for (image, record), columns in zip(job.slides.items(), texts, strict=True)
    }
    job = replace(job, slides=records)
    rows = _rows(job, None, ())
    assert [row["diag"] for row in rows] == ["A", "b/c", ""] and [row["age"] for row in rows] == ["61,5", "", ""]
    assert [row["list name"] for row in rows] == ["x", "", ""] and {"subject", "site"} < set(rows[0])
    write_cluster_table(job, Unit("table", "table"))
    obs = read_table(job.folder.table).obs
    first = obs[obs["slide"] == next(iter(records))]
    assert set(first["diag"]) == {"A"} and set(first["age"]) == {61.5} and obs["age"].isna().any()
    assert (obs["cluster_name"].astype(str) == "cluster " + obs["cluster"].astype(str)).all()
    exported = Picked(job, next(iter(records)), ()).tiles().obs
    for name in ("diag", "age", "name", "cluster_name"):
        assert exported[name].tolist() == first[name].tolist()
