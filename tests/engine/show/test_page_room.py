"""page_room: a page stays below 10 MB however many images a run has, and counts what it leaves out."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from tile_engine.engine.show.levels import MAX_LEVEL_MAPS, LevelsView, level_map
from tile_engine.engine.show.page import Column, Image, ReportPage, Section, Table, Thumbnail
from tile_engine.engine.show.page_room import MAX_LINKS, MAX_PAGE_BYTES, MAX_PICTURES, embedded_counts
from tile_engine.engine.show.patch_sheet import PatchSheet, sheet_picture
from tile_engine.engine.show.report import write_report

IMAGES, CLUSTERS = 300, 32
NOISE = np.random.default_rng(0)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture that no compression makes small."""
    path = tmp_path_factory.mktemp("noise") / "noise.png"
    Picture.fromarray(NOISE.integers(0, 255, (900, 1200, 3), np.uint8)).save(path, compress_level=1)
    return path


def levels(images: int) -> LevelsView:
    """The worst slider: cells without any order, and the patches of 32 clusters."""
    numbers = NOISE.integers(0, CLUSTERS, (900, 900), np.uint8)
    one = level_map("x", numbers, (1,) * CLUSTERS, images)
    maps = tuple(one for _ in range(min(images, MAX_LEVEL_MAPS)))
    sheet = sheet_picture(NOISE.integers(0, 255, (12 * CLUSTERS, 64, 64, 3), np.uint8))
    return LevelsView(
        parents=(0, *range(1, CLUSTERS)),
        labels=tuple(range(1, CLUSTERS + 1)),
        names=tuple(f"cluster {i}" for i in range(1, CLUSTERS + 1)),
        colours=("#0072b2",) * CLUSTERS,
        into={},
        shown=CLUSTERS,
        recommended=3,
        reproducible=(3,),
        maps=maps,
        plane=None,
        patches=PatchSheet(sheet, 64, 20, {}, {}, {}),
        centres=((0.0,) * 64,) * CLUSTERS,
        beyond=images - len(maps),
        tiles_beyond=(5,) * CLUSTERS,
    )


def page_of(noise: Path, images: int) -> ReportPage:
    """A report of so many images, all pictures of it noise."""
    names = tuple(f"a-study-of-many-people-by-several-hospitals-{i:04d}-stained-and-scanned.svs" for i in range(images))
    figures = tuple(Image(noise, name, "beside it in maps/") for name in names)
    content = io.BytesIO()
    Picture.fromarray(NOISE.integers(0, 255, (110, 160, 3), np.uint8)).save(content, "JPEG", quality=80)
    small = f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"
    shares = Table(
        (Column("Slide"), *(Column(f"cluster {i}", "share") for i in range(CLUSTERS))),
        tuple((name, *(0.03125 + 0.001 * i for i in range(CLUSTERS))) for name in names),
    )
    rejected = Table(
        (Column("Slide"), Column("Picture", "picture")), tuple((n, Thumbnail(small, "coarse")) for n in names[:40])
    )
    sections = (
        Section("Maps", figures=figures),
        Section("Where each cluster is dense", figures=figures),
        Section("Plane", figures=figures[:1]),
        Section("Slides", tables=(shares, rejected)),
    )
    return ReportPage("t", sections=sections, levels=levels(images), names=names)


@pytest.mark.parametrize("images", [20, IMAGES, 10 * IMAGES])
def test_a_page_of_many_images_stays_below_its_bound(tmp_path: Path, noise: Path, images: int) -> None:
    path = write_report(tmp_path / "report.html", page_of(noise, images))
    assert path.stat().st_size <= MAX_PAGE_BYTES
    text = path.read_text()
    assert 10 < text.count("<figure><a") <= MAX_PICTURES
    assert re.search(r'<section id="s2">.*?</section>', text, re.DOTALL).group().count("<figure><a") == 1  # type: ignore[union-attr]
    if images > MAX_LINKS:
        assert f"and {images - MAX_LINKS} more in the same folder" in text
    if images > MAX_LEVEL_MAPS:
        assert f"{images - MAX_LEVEL_MAPS} more images have no map here" in text


def test_sections_with_few_pictures_keep_all_of_them(noise: Path) -> None:
    sections = [Section("a", figures=(Image(noise),) * n) for n in (300, 1, 300, 12)]
    assert embedded_counts(sections) == [33, 1, 33, 12]
    assert embedded_counts([Section("a", figures=(Image(noise),) * 300, embedded=5)]) == [5]


def test_a_long_name_is_shortened_and_its_title_is_the_whole(tmp_path: Path, noise: Path) -> None:
    page = page_of(noise, 3)
    text = write_report(tmp_path / "report.html", page).read_text()
    cells = re.findall(r'<td class="text"><span title="([^"]*)">([^<]*)</span>', text)
    assert [full for full, _ in cells[:3]] == list(page.names)
    assert all(f"-000{i}-" in short for i, (_, short) in enumerate(cells[:3])), cells
    assert f'<strong><span title="{page.names[0]}">' in text


@pytest.mark.parametrize("paragraphs", [0, 4_000])
def test_pictures_have_what_the_text_leaves(tmp_path: Path, noise: Path, paragraphs: int) -> None:
    """Of 60 pictures of noise; two thirds of the page are text, or nearly nothing."""
    section = Section("Maps", ("äöü " * 250,) * paragraphs, figures=(Image(noise),) * 60)
    size = write_report(tmp_path / "report.html", ReportPage("t", sections=(section,))).stat().st_size
    assert 0.8 * MAX_PAGE_BYTES < size <= MAX_PAGE_BYTES
