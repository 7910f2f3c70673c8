"""Films are found as slides are; an array of many films is one entry."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tile_engine.errors import NoInputError, SettingsError
from tile_engine.stores.films.input_kind import find_films
from tile_engine.stores.films.reader import count_films, read_film

Array = np.ndarray[Any, Any]


@pytest.fixture
def folder(tmp_path: Path, dicom: Callable[..., Path], grey: Array) -> Path:
    dicom(grey, name="a.dcm")
    shutil.copy(tmp_path / "a.dcm", tmp_path / "IM0001")
    (tmp_path / "below").mkdir()
    Image.fromarray((grey >> 4).astype(np.uint8)).save(tmp_path / "below" / "b.png")
    np.savez(tmp_path / "set.npz", train_images=np.zeros((50, 8, 8), "u1"), train_labels=np.zeros((50, 1), "u1"),
             test_images=np.zeros((7, 8, 8), "u1"), test_labels=np.zeros((7, 1), "u1"))  # fmt: skip
    (tmp_path / "below" / "npy").mkdir()
    np.save(tmp_path / "below" / "npy" / "films.npy", np.zeros((9, 8, 8), "u1"))
    np.save(tmp_path / "below" / "npy" / "labels.npy", np.zeros(9))
    (tmp_path / "notes.txt").write_text("no film")
    (tmp_path / "broken.jpg").write_text("no film either")
    return tmp_path


def test_every_kind_of_film_is_found_and_a_set_is_one_entry(folder: Path) -> None:
    cohort = find_films(folder)
    names = [entry.name for entry in cohort.entries]
    assert names == [
        "IM0001", "a.dcm", "below/b.png", "below/npy/films.npy", "broken.jpg", "set.npz/test_images", "set.npz/train_images",
    ]  # fmt: skip
    assert dict(cohort.ignored) == {
        "notes.txt": "is no film but text",
        "below/npy/labels.npy": "is a column of films.npy",
    }
    counts = [count_films(entry) for entry in cohort.entries if entry.name != "broken.jpg"]
    assert counts == [1, 1, 1, 9, 7, 50]
    assert [entry.extra for entry in cohort.entries[-2:]] == [{"split": "test"}, {"split": "train"}]
    assert len({entry.id for entry in cohort.entries}) == 7


def test_globs_files_and_several_of_them_are_specs_too(folder: Path) -> None:
    assert [e.name for e in find_films(str(folder / "*.dcm")).entries] == ["a.dcm"]
    assert [e.part for e in find_films(folder / "set.npz").entries] == ["test_images", "train_images"]
    several = find_films([folder / "a.dcm", folder / "below"])
    assert [e.name for e in several.entries] == ["a.dcm", "below/b.png", "below/npy/films.npy"]
    with pytest.raises(NoInputError, match="holds no films"):
        find_films(str(folder / "*.txt"))


def test_a_list_carries_its_columns_to_its_films(folder: Path) -> None:
    (folder / "list.csv").write_text(
        "file;Patient ID;site;label;part\na.dcm;7;KM;pneumoconiosis;\nset.npz;;NIOSH;;test_images\nbelow/b.png;8;KM;normal;\n"
    )
    first, stack, last = find_films(folder / "list.csv").entries
    assert (first.subject, first.site, first.extra["label"]) == ("7", "KM", "pneumoconiosis")
    assert (stack.part, stack.site, count_films(stack)) == ("test_images", "NIOSH", 7)
    assert read_film(last.path, last.part).values.shape == (40, 50)
    (folder / "list.csv").write_text("file,site\nnone.dcm,a\n")
    with pytest.raises(SettingsError, match=r"none\.dcm"):
        find_films(folder / "list.csv")
