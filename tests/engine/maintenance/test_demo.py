"""The demo keeps to a folder of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tile_engine.engine.maintenance import demo
from tile_engine.errors import SettingsError

SLIDES = demo.demo_of("slides")


@pytest.fixture
def quick() -> demo.Demo:
    def make(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in SLIDES.names:
            (folder / name).write_bytes(b"slide")

    return replace(SLIDES, make=make)


def test_slides_are_made_in_a_new_folder_and_kept(tmp_path: Path, quick: demo.Demo) -> None:
    slides = demo.demo_images(tmp_path / "demo", quick)
    assert sorted(path.name for path in slides.iterdir()) == list(quick.names)
    (slides / quick.names[0]).write_bytes(b"mine")
    (tmp_path / "demo" / "results").mkdir()
    demo.demo_images(tmp_path / "demo", quick)
    assert (slides / quick.names[0]).read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["thesis.docx", "slides/case.svs", "volumes.csv"])
def test_a_folder_with_anything_else_in_it_is_refused(name: str, tmp_path: Path, quick: demo.Demo) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(SettingsError, match=name) as caught:
        demo.demo_images(tmp_path, quick)
    assert caught.value.code == "E_OUT" and not (tmp_path / "slides" / quick.names[0]).exists()


def test_heads_are_made_with_their_list_and_again_as_the_same_bytes(tmp_path: Path) -> None:
    brains = demo.demo_of("brains")
    listed = demo.demo_images(tmp_path / "a", brains)
    rows = listed.read_text().splitlines()
    assert rows[0] == "path,subject,site,label" and len(rows) == 1 + len(brains.names)
    first = listed.parent / rows[1].split(",")[0]
    before = {path: path.stat().st_mtime_ns for path in listed.parent.rglob("*.nii.gz")}
    assert demo.demo_images(tmp_path / "a", brains) == listed
    assert before == {path: path.stat().st_mtime_ns for path in listed.parent.rglob("*.nii.gz")}
    demo.demo_images(tmp_path / "b", brains)
    assert (tmp_path / "b" / "volumes" / first.name).read_bytes() == first.read_bytes()


def test_a_demo_of_another_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match="'films': there are demos of slides and brains"):
        demo.demo_of("films")
