"""Sections of a report on rejected images and lost parts: a picture of each where there can be one, else why not."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tile_engine.engine.runtime.load import load
from tile_engine.engine.show.page import Thumbnail
from tile_engine.engine.steps import left_out, rejected_pictures
from tile_engine.engine.steps.mask_sheets import mask_sections, masked
from tile_engine.stores.cells import LabelCells

Made = Callable[[str, str], Any]


def pixels(thumbnail: Thumbnail) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(thumbnail.source.split(",")[1]))))


def test_a_rejected_file_has_a_picture_where_it_can_be_read(finished: Made, cohorts: dict[str, Path]) -> None:
    job = load(finished("embed", "slide-tiles").out)
    rows = [
        ("a.tif", "E_NO_MPP", "no spacing"),
        ("gone.tif", "E_EMPTY", ""),
        ("../slides/a.tif", "E_NO_MPP", ""),
        ("b.tif", "E_CRASHES_READER", ""),
    ]
    found = rejected_pictures.rejected_pictures(job, rows)
    assert isinstance(found[0], Thumbnail) and pixels(found[0]).shape == (160, 160, 3)
    assert found[1:3] == ["no picture: no such file now", "not drawn: the file lies outside of the input folder"]
    assert found[3] == "no picture: the file is not opened again (E_CRASHES_READER)"


def test_a_file_that_nobody_can_read_says_so_and_pictures_are_bounded(
    finished: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = load(finished("embed", "slide-tiles").out)
    (tmp_path / "text.tif").write_bytes(b"hello")
    monkeypatch.setattr(rejected_pictures, "MAX_PICTURES", 1)
    monkeypatch.setattr(rejected_pictures, "to_path", lambda path: tmp_path)
    found = rejected_pictures.rejected_pictures(job, [("text.tif", "E_NOT_A_SLIDE", "")] * 2)
    assert str(found[0]).startswith("no picture: the file cannot be read (E_")
    assert found[1] == "not drawn: pictures of the first 1 only"


def test_volumes_have_a_plane_and_films_are_shown(cohorts: dict[str, Path]) -> None:
    volume = rejected_pictures._drawn(str(cohorts["volumes"].parent / "case0.nii.gz"))
    film = rejected_pictures._drawn(str(cohorts["films"].parent / "10.dcm"))
    assert all(one["picture"].startswith("data:image/jpeg;base64,") for one in (volume, film))


def test_a_slide_with_lost_tiles_is_listed_with_its_shares_and_a_picture(
    finished: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = load(finished("embed", "slide-tiles").out)
    image, other, *_ = job.slides
    monkeypatch.setattr(
        left_out, "losses", lambda job: {image: "1 of 9 tiles unreadable", other: "2 of 9 tiles absent"}
    )
    monkeypatch.setattr(left_out, "MAX_LOST_PICTURES", 1)
    (section,) = left_out.lost_sections(job)
    (first, second) = section.tables[0].rows
    assert first[:4] == (job.slides[image].name, "1 of 9 tiles unreadable", 0.0, 0.0)
    assert isinstance(first[4], Thumbnail) and second[4] == "not drawn: pictures of the first 1 only"


def test_masks_are_outlined_and_what_is_lost_is_tinted(finished: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    job = load(finished("embed", "slide-tiles").out)
    image = next(iter(job.slides))
    read = LabelCells.read_all

    def half_lost(cells: LabelCells) -> Any:
        values = np.array(read(cells))
        values[:, : values.shape[1] // 2] = 2
        return values

    monkeypatch.setattr(LabelCells, "read_all", half_lost)
    rgb = masked(job, image, side=100)
    assert max(rgb.shape[:2]) == 100
    assert (rgb[:, :40, 0] > rgb[:, :40, 1]).all(), "red over the lost half"
    assert (rgb[50, -1] == (0, 190, 60)).all() and not (rgb[50, 75] == (0, 190, 60)).all(), "a line along the rim alone"


def test_a_report_on_slides_has_a_sheet_of_masks_and_one_on_volumes_none(finished: Made, tmp_path: Path) -> None:
    out = finished("embed", "slide-tiles").out
    assert (out / "maps" / "tissue-1.png").exists()
    assert "Tissue masks, slides 1 to 3 of 3" in (out / "report.html").read_text()
    assert mask_sections(load(finished("cluster", "subjects").out)) == []
