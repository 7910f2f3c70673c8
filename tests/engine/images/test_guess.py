"""guess: the kind of images is told by what they are, said, and refused where it is not clear."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.images import guess
from tile_engine.engine.images.guess import guess_kind, named_images
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runs import RUNS, command
from tile_engine.errors import NoInputError, SettingsError

ALL = ("slides", "volumes", "films", "sections")


class Said(list[Event]):
    def __call__(self, event: Event) -> None:
        self.append(event)


def kind_of(*paths: Path, kinds: tuple[str, ...] = ALL, usual: str = "") -> str:
    said = Said()
    kind = guess_kind([str(path) for path in paths], kinds, said, usual)
    option = f"--{kind}"
    assert [f"taken for {kind}" in event.text and option in event.text for event in said] == [True]
    return kind


@pytest.mark.parametrize("images", ["volumes", "films", "slides"])
def test_a_folder_is_told_by_its_files(images: str, cohorts: dict[str, Path]) -> None:
    folder = cohorts[images].parent if cohorts[images].is_file() else cohorts[images]
    kinds = ("slides", "volumes", "sections") if images == "slides" else ALL
    assert kind_of(folder, kinds=kinds) == images
    if images != "films":  # its first two are pictures, which may be slides
        assert kind_of(*sorted(folder.glob("*[0-9a-c].*"))[:2], kinds=kinds) == images


def test_pictures_may_be_films_and_the_usual_kind_is_taken_where_it_is_possible(cohorts: dict[str, Path]) -> None:
    slides = cohorts["slides"]
    with pytest.raises(SettingsError, match=r"may be slides or films.*by --films or --slides") as caught:
        guess_kind([str(slides)], command("anomaly").images, Said())
    assert caught.value.code == "E_IMAGES"
    assert kind_of(slides, usual="slides") == "slides"


def test_sections_and_slides_of_a_list_are_not_guessed_between(cohorts: dict[str, Path]) -> None:
    with pytest.raises(SettingsError, match="--slides or --sections"):
        guess_kind([str(cohorts["sections"])], command("cluster").images, Said())


def test_files_of_two_kinds_are_refused_with_examples(cohorts: dict[str, Path], tmp_path: Path) -> None:
    shutil.copy(next(cohorts["slides"].glob("*.tif")), tmp_path / "s.svs")
    shutil.copy(next(cohorts["volumes"].parent.glob("*.nii.gz")), tmp_path / "v.nii.gz")
    with pytest.raises(SettingsError, match=r"s\.svs may be slides; v\.nii\.gz may be volumes.*--slides or --volumes"):
        guess_kind([str(tmp_path)], ("slides", "volumes"), Said())


def test_every_file_is_counted_by_its_ending_and_a_sample_of_each_is_opened(
    cohorts: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide, opened = next(cohorts["slides"].glob("*.tif")), list[str]()
    for number in range(30):
        (tmp_path / f"s{number:02}.svs").hardlink_to(shutil.copy(slide, tmp_path.parent / f"{tmp_path.name}-{number}"))
    monkeypatch.setattr(guess, "MAX_LOOKS", 4)
    look = guess._kinds_of
    monkeypatch.setattr(guess, "_kinds_of", lambda entry: opened.append(entry.name) or look(entry))
    said = Said()
    assert guess_kind([str(tmp_path)], ("slides", "volumes"), said) == "slides"
    assert "30 images: 30 .svs; 4 of them were opened" in said[0].text and len(opened) == 4
    shutil.copy(next(cohorts["volumes"].parent.glob("*.nii.gz")), tmp_path / "s07v.nii.gz")
    with pytest.raises(SettingsError, match=r"31 images: 30 \.svs, 1 \.nii\.gz; 5 of them were opened"):
        guess_kind([str(tmp_path)], ("slides", "volumes"), Said())


def test_the_usual_kind_is_that_of_the_great_majority_and_the_others_are_named(
    cohorts: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, slide = next(cohorts["volumes"].parent.glob("*.nii.gz")), next(cohorts["slides"].glob("*.tif"))
    for number in range(9):
        shutil.copy(volume, tmp_path / f"v{number}.nii.gz")
    shutil.copy(slide, tmp_path / "overview.tif")
    with pytest.raises(SettingsError, match=r"overview\.tif may be slides.*--slides or --volumes or --films"):
        guess_kind([str(tmp_path)], ALL, Said(), "slides")
    for number in range(30):
        shutil.copy(slide, tmp_path / f"s{number:02}.svs")
    with pytest.raises(SettingsError, match="is not clear"):  # 31 of 40
        guess_kind([str(tmp_path)], ALL, Said(), "slides")
    for number in range(2, 9):
        (tmp_path / f"v{number}.nii.gz").unlink()
    monkeypatch.setattr(guess, "MAX_LOOKS", 4)
    said = Said()
    assert guess_kind([str(tmp_path)], ALL, said, "slides") == "slides"
    assert "30 .svs" in said[0].text and "left out, as they are none: v0.nii.gz, v1.nii.gz" in said[0].text


def test_dicom_is_told_by_its_modality_and_arrays_by_their_axes(tmp_path: Path) -> None:
    from conftest import write_dicom_film

    write_dicom_film(tmp_path / "a.dcm", np.arange(64, dtype=np.uint16).reshape(8, 8))
    assert kind_of(tmp_path) == "films"
    write_dicom_film(tmp_path / "a.dcm", np.arange(64, dtype=np.uint16).reshape(8, 8), Modality="MR")
    assert kind_of(tmp_path) == "volumes"
    (tmp_path / "a.dcm").unlink()
    np.savez(tmp_path / "v.npz", train_images=np.zeros((2, 20, 20, 20), np.uint8))
    assert kind_of(tmp_path) == "volumes"


def test_nothing_is_refused_and_a_run_of_one_kind_needs_no_look(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match="holds no images"):
        guess_kind([str(tmp_path)], ALL, Said())
    assert guess_kind([str(tmp_path / "gone")], ("films",), Said()) == "films"


@pytest.mark.parametrize("name", RUNS)
def test_images_without_a_kind_join_the_kind_that_was_named(name: str) -> None:
    kind = command(name).images[-1]
    images: dict[str, Any] = {kind: "a", "": ["b", "c"]}
    assert named_images(command(name), images, Said()) == {kind: ["a", "b", "c"]}
