"""Sections of a report on rejected images and lost parts: a picture of each where there can be one, else why not."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from conftest import write_dicom_film
from dicom_slides import tiles_of, write_slide
from PIL import Image

from tile_engine.engine.images.opening import rejection_of
from tile_engine.engine.pipeline.image_documents import read_rejected, write_rejected
from tile_engine.engine.pipeline.record import Rejection
from tile_engine.engine.runtime.load import load
from tile_engine.engine.show.mask_sheet import MaskedSlide
from tile_engine.engine.show.page import Thumbnail
from tile_engine.engine.steps import left_out, mask_sheets, rejected_file, rejected_pictures
from tile_engine.engine.steps.mask_sheets import mask_sections, masked
from tile_engine.errors import SlideError
from tile_engine.stores.cells import LabelCells
from tile_engine.stores.films.mark import film_mark
from tile_engine.stores.folder import Folder
from tile_engine.stores.slides.cohort import SlideEntry
from tile_engine.stores.slides.file_marks import fingerprint

Made = Callable[[str, str], Any]


def pixels(thumbnail: Thumbnail) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(thumbnail.source.split(",")[1]))))


def copied(out: Path, tmp_path: Path) -> Any:
    """The job of a finished run whose documents are copied: pictures are kept beside them."""
    job = load(out)
    copy = tmp_path / "out"
    copy.mkdir()
    shutil.copy(out / "run.json", copy)
    return replace(job, folder=Folder(copy, job.folder.images))


def rejection(path: Path, code: str, *, part: str = "", **fields: str) -> Rejection:
    try:
        mark = fingerprint(path)
    except SlideError:
        mark = ""
    return Rejection(path.name, code, "", path=str(path), part=part, **{"fingerprint": mark, **fields})


def pyramid(path: Path) -> Path:
    """A slide of two levels that states no spacing."""
    pixels = np.full((512, 512, 3), 200, np.uint8)
    pixels[100:300, 200:400] = (120, 40, 90)
    with tifffile.TiffWriter(path) as file:
        file.write(pixels, tile=(128, 128), photometric="rgb", subifds=1, metadata=None)
        file.write(pixels[::2, ::2], tile=(128, 128), photometric="rgb", subfiletype=1, metadata=None)
    return path


def test_a_rejected_slide_has_a_picture_where_it_has_levels(finished: Made, tmp_path: Path) -> None:
    job = copied(finished("embed", "slide-tiles").out, tmp_path)
    slide, changed = pyramid(tmp_path / "slide.tif"), pyramid(tmp_path / "changed.tif")
    old = rejection(changed, "E_NO_MPP")
    changed.write_bytes(changed.read_bytes() + b"more")
    found = rejected_pictures.rejected_pictures(
        job,
        [
            rejection(slide, "E_NO_MPP"),
            old,
            rejection(slide, "E_CRASHES_READER"),
            rejection(tmp_path / "gone.tif", "E_MISSING"),
            rejection(tmp_path / "gone.tif", "E_EMPTY", fingerprint="1-2"),
            Rejection("a.tif", "E_NO_MPP", "", fingerprint="1-2"),
            Rejection("../slides/a.tif", "E_NO_MPP", "", fingerprint="1-2"),
        ],
    )
    assert isinstance(found[0], Thumbnail) and pixels(found[0]).shape == (160, 160, 3)
    assert found[1:] == [
        "not drawn: the file is not the one that was rejected, or was changed since",
        "no picture: the file is not opened again (E_CRASHES_READER)",
        "no picture: the file could not be read when it was rejected",
        "no picture: no such file now",
        "not drawn: the file is not the one that was rejected, or was changed since",
        "not drawn: it is not recorded which file it is",
    ]


def test_labels_forms_and_captured_screens_are_never_drawn(
    finished: Made, cohorts: dict[str, Path], tmp_path: Path
) -> None:
    label = tmp_path / "case7_label.png"
    Image.new("RGB", (300, 200), "white").save(label)
    page = tmp_path / "form.tif"
    tifffile.imwrite(page, np.zeros((300, 200, 3), np.uint8), tile=(128, 128), photometric="rgb")
    glass = tmp_path / "label.dcm"
    write_slide(
        glass,
        tiles_of(np.zeros((128, 128, 3), np.uint8)),
        (128, 128),
        ImageType=["ORIGINAL", "PRIMARY", "LABEL", "NONE"],
    )
    film = cohorts["films"].parent / "10.dcm"
    capture, burned = tmp_path / "report.dcm", tmp_path / "burned.dcm"
    write_dicom_film(capture, np.zeros((40, 40), np.uint16), SOPClassUID="1.2.840.10008.5.1.4.1.1.7.2")
    write_dicom_film(burned, np.zeros((40, 40), np.uint16), BurnedInAnnotation="YES")
    job = copied(finished("embed", "slide-tiles").out, tmp_path)
    files = (label, page, glass, film, capture, burned, cohorts["volumes"].parent / "case0.nii.gz")
    found = rejected_pictures.rejected_pictures(job, [rejection(file, "E_NO_MPP") for file in files])
    assert not [one for one in found if isinstance(one, Thumbnail)]
    assert found[:2] == [
        "not drawn: a plain picture may show a label or a form",
        "not drawn: a file of one level may show a label or a form",
    ]
    (other,) = rejected_pictures.rejected_pictures(job, [rejection(glass, "E_NOT_A_SLIDE")])
    assert other == "not drawn: the file is no slide and may show anything (E_NOT_A_SLIDE)"
    for file in (capture, burned):
        why = "not drawn: a DICOM picture that may show text, such as a name"
        assert rejected_file.drawn("films", str(file), "", film_mark(file)) == {"why": why}


def test_a_file_that_is_too_large_or_out_of_reach_says_so_and_pictures_are_bounded(
    finished: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide = pyramid(tmp_path / "slide.tif")
    mark = fingerprint(slide)
    with monkeypatch.context() as small:
        small.setattr(rejected_file, "MAX_CELLS", 100)
        assert rejected_file.drawn("slides", str(slide), "", mark) == {"why": "no picture: it is too large (E_TOO_BIG)"}
    with monkeypatch.context() as closed:
        closed.setattr(Path, "stat", denied)
        assert rejected_file.drawn("slides", str(slide), "", mark) == {"why": "no picture: the file cannot be reached"}
    monkeypatch.setattr(rejected_pictures, "MAX_PICTURES", 1)
    (tmp_path / "text.tif").write_bytes(b"hello")
    job = copied(finished("embed", "slide-tiles").out, tmp_path)
    found = rejected_pictures.rejected_pictures(job, [rejection(tmp_path / "text.tif", "E_NO_MPP")] * 2)
    assert str(found[0]).startswith("no picture: the file cannot be read (E_")
    assert found[1] == "not drawn: pictures of the first 1 only"


def test_later_reports_open_no_file_again(finished: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = copied(finished("embed", "slide-tiles").out, tmp_path)
    text, gone = tmp_path / "text.tif", tmp_path / "gone.tif"
    text.write_bytes(b"hello")
    rejections = [
        rejection(pyramid(tmp_path / "slide.tif"), "E_NO_MPP"),
        rejection(text, "E_UNREADABLE"),
        rejection(gone, "E_EMPTY", fingerprint="1-2"),
    ]
    first = rejected_pictures.rejected_pictures(job, rejections)
    opened: list[str] = []

    def each(work: Any, items: list[list[str]], limit: float) -> list[Any]:
        opened.extend(path for _, path, *_ in items)
        return [{"why": rejected_file.GONE}] * len(items)

    monkeypatch.setattr(rejected_pictures, "each", each)
    assert rejected_pictures.rejected_pictures(job, rejections) == first and opened == [str(gone)]
    rejected_pictures.rejected_pictures(job, [replace(rejections[1], fingerprint="3-4")])
    assert opened[1:] == [str(text)], "a file that was rejected anew is opened again"


def denied(path: Path, **options: Any) -> Any:
    raise PermissionError(13, "Permission denied", str(path))


def test_volumes_have_a_plane_and_films_are_shown(cohorts: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    volume, film = cohorts["volumes"].parent / "case0.nii.gz", cohorts["films"].parent / "10.dcm"
    for kind, file, mark in (("volumes", volume, fingerprint(volume)), ("films", film, film_mark(film))):
        assert rejected_file.drawn(kind, str(file), "", mark)["picture"].startswith("data:image/jpeg;base64,")
    monkeypatch.setattr(rejected_file, "MAX_VOLUME_BYTES", 1000)
    assert "too large" in rejected_file.drawn("volumes", str(volume), "", fingerprint(volume))["why"]


def test_rejections_keep_their_files_and_documents_of_earlier_versions_are_read(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    entry = SlideEntry("a-1", tmp_path / "a.nii", "a.nii/t=3", part="t=3")
    write_rejected(folder, {"a-1": rejection_of(entry, SlideError("why", "E_TIME"), "1-2")})
    (one,) = read_rejected(folder).values()
    assert (one.name, one.path, one.part) == ("a.nii/t=3", str(tmp_path / "a.nii"), "t=3")
    (tmp_path / "rejected.json").write_text('{"a-1": {"name": "a", "code": "E_TIME", "message": ""}}')
    assert read_rejected(folder)["a-1"] == Rejection("a", "E_TIME", "")


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


@pytest.mark.parametrize(
    ("run", "title"),
    [
        (("embed", "slide-tiles"), "Tissue masks, slides 1 to 3 of 3"),
        (("cluster", "subjects"), "Masks, volumes 1 to 6 of 6"),
    ],
)
def test_a_report_has_sheets_of_masks(finished: Made, run: tuple[str, str], title: str) -> None:
    out = finished(*run).out
    assert (out / "maps" / "tissue-1.png").exists()
    assert title in (out / "report.html").read_text()


def test_volumes_that_are_not_masked_have_no_sheet_and_a_mask_that_is_gone_is_said(
    finished: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = load(finished("cluster", "subjects").out)
    job = replace(job, folder=replace(job.folder, out=Path(shutil.copytree(job.folder.out, tmp_path / "out"))))
    assert mask_sections(replace(job, settings=job.settings.model_copy(update={"mask": "none"}))) == []
    drawn: list[MaskedSlide] = []
    monkeypatch.setattr(mask_sheets, "mask_sheet", lambda path, slides, **how: drawn.extend(slides) or path)
    (section,) = mask_sections(replace(job, settings=job.settings.model_copy(update={"mask": "given"})))
    assert "given masks" in section.text[0] and {one.text for one in drawn} == {"not drawn: E_NO_MASK"}
