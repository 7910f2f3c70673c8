"""Stacks: films of npy and npz files, read film by film, whatever their form, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.errors import SlideError
from tile_engine.stores.films import stack_films, stacks
from tile_engine.stores.films.input_kind import find_films
from tile_engine.stores.films.reader import count_films, films_of, read_film
from tile_engine.stores.films.stack_columns import columns_of
from tile_engine.stores.slides.cohort import SlideEntry

Array = np.ndarray[Any, Any]


def stored(path: Path, array: Array) -> Path:
    np.savez(path, train_images=array)
    return path


def packed(path: Path, array: Array) -> Path:
    np.savez_compressed(path, train_images=array)
    return path


def plain(path: Path, array: Array) -> Path:
    np.save(path.with_suffix(".npy"), array)
    return path.with_suffix(".npy")


FORMS: tuple[Callable[[Path, Array], Path], ...] = (stored, packed, plain)
FILMS = np.random.default_rng(2).integers(0, 256, (23, 12, 17)).astype(np.uint8)


@pytest.mark.parametrize("write", FORMS)
@pytest.mark.parametrize("small", [2**28, 0])
@given(ends=st.tuples(st.integers(0, 23), st.integers(0, 23)))
@settings(max_examples=12, deadline=None)
def test_any_part_of_a_stack_is_that_part_of_the_array(
    tmp_path_factory: pytest.TempPathFactory, write: Callable[[Path, Array], Path], small: int, ends: tuple[int, int]
) -> None:
    path = write(tmp_path_factory.mktemp("stack") / "a.npz", FILMS)
    start, stop = sorted(ends)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stacks, "SMALL_BYTES", small)
        films = list(films_of(path, "", start, stop))
        assert count_films(SlideEntry("a", path, "a")) == 23
    assert len(films) == stop - start
    for film, pixels in zip(films, FILMS[start:stop], strict=True):
        np.testing.assert_allclose(film.values, pixels / 255, atol=1e-7)


@pytest.mark.parametrize("write", FORMS)
def test_a_part_of_a_large_set_costs_no_more_memory_than_some_films(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, Array], Path]
) -> None:
    """Of 64 MB, the last two films are read."""
    path = write(tmp_path / "a.npz", np.zeros((1000, 256, 256), np.uint8))
    monkeypatch.setattr(stacks, "SMALL_BYTES", 2**20)
    tracemalloc.start()
    try:
        films = list(films_of(path, "", 998, 1000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(films) == 2 and peak < 8 * 2**20, peak


@pytest.mark.parametrize("write", FORMS)
def test_a_stack_that_was_cut_short_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, Array], Path]
) -> None:
    monkeypatch.setattr(stacks, "SMALL_BYTES", 0)
    path = write(tmp_path / "a.npz", FILMS)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SlideError) as caught:
        films_of(path)
    assert caught.value.code == "E_TRUNCATED"


def test_damage_inside_a_packed_set_loses_the_films_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "SMALL_BYTES", 0)
    noise = np.random.default_rng(0).integers(0, 256, (60, 64, 64)).astype(np.uint8)
    path = packed(tmp_path / "a.npz", noise)
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 4000] = bytes(4000)
    path.write_bytes(whole)
    films = list(films_of(path))
    lost = [isinstance(film, SlideError) for film in films]
    assert len(films) == 60 and not lost[0] and lost[-1] and lost == sorted(lost)


def test_one_range_serves_all_films_of_a_stack(tmp_path: Path) -> None:
    dark, bright = np.full((2, 8, 9), 500, np.uint16), np.full((2, 8, 9), 4000, np.uint16)
    path = plain(tmp_path / "a.npz", np.concatenate([dark, bright]))
    films = list(films_of(path))
    np.testing.assert_allclose(
        [float(film.values[0, 0]) for film in films], np.array([500, 500, 4000, 4000]) / 4095, rtol=1e-6
    )
    assert all("12 bits hold its maximum" in film.notes[0] for film in films)
    assert all("all its pixels have one value" in film.notes for film in films)
    assert read_film(path, index=0).values[0, 0] == films[0].values[0, 0]


def test_a_film_beyond_the_range_of_its_stack_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_films, "PROBED_FILMS", 2)
    array = np.array([500, 600, 4000], np.uint16)[:, None, None] * np.ones((3, 6, 6), np.uint16)
    *_, last = films_of(plain(tmp_path / "a.npz", array))
    assert last.values.max() == pytest.approx(4000 / 4095)
    assert last.notes[0] == "has values beyond those of the first 2 films of its stack: its range is its own"


def test_floats_in_known_ranges_are_kept_and_others_take_percentiles(tmp_path: Path) -> None:
    unit = np.random.default_rng(0).random((2, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(read_film(plain(tmp_path / "a.npz", unit), index=1).values, unit[1])
    film = read_film(plain(tmp_path / "b.npz", unit * 2048 - 1024))
    assert film.values.min() == 0 and film.values.max() == 1 and "percentiles" in film.notes[0]
    unit[0, 0, 0] = np.nan
    lost, kept = films_of(plain(tmp_path / "c.npz", unit))
    assert isinstance(lost, SlideError) and lost.code == "E_UNSUPPORTED_PIXELS"
    np.testing.assert_array_equal(kept.values, unit[1])


def test_arrays_of_colours_are_grey_or_refused_film_by_film(tmp_path: Path) -> None:
    colours = np.repeat(FILMS[:2, ..., None], 3, axis=-1)
    colours[1, 0, 0] = (200, 0, 0)
    grey, lost = films_of(plain(tmp_path / "a.npz", colours))
    np.testing.assert_allclose(grey.values, FILMS[0] / 255, atol=1e-7)
    assert isinstance(lost, SlideError) and "is in colour" in lost.message


def test_arrays_that_are_no_films_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 5, 6, 7)), y=np.arange(4))
    np.savez(tmp_path / "b.npz", train_images=FILMS, test_images=FILMS[:3])
    for name, part in (("a.npz", ""), ("b.npz", ""), ("b.npz", "val_images")):
        with pytest.raises(SlideError, match="There is: ") as caught:
            films_of(tmp_path / name, part)
        assert caught.value.code == "E_NOT_A_FILM"
    assert len(list(films_of(tmp_path / "b.npz", "test_images"))) == 3


def test_fortran_order_is_read_whole_or_refused(tmp_path: Path) -> None:
    array = np.asfortranarray(FILMS)
    np.testing.assert_allclose(read_film(packed(tmp_path / "a.npz", array), index=3).values, FILMS[3] / 255, atol=1e-7)
    with pytest.raises(SlideError, match="Fortran") as caught:
        read_film(plain(tmp_path / "a.npz", array), index=3)
    assert caught.value.code == "E_UNSUPPORTED_PIXELS"
    one = np.asfortranarray(FILMS[:1])
    np.testing.assert_allclose(read_film(plain(tmp_path / "b.npz", one)).values, FILMS[0] / 255, atol=1e-7)


def test_pickled_objects_are_never_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=FILMS, names=np.array([{}] * 23, object), age=np.arange(23))
    columns = columns_of(tmp_path / "a.npz", "images")
    assert set(columns.values) == {"age"} and "names holds object" in columns.notes[0]


def test_columns_stand_beside_their_stack(tmp_path: Path) -> None:
    labels, several = np.arange(23)[:, None] % 2, np.arange(46).reshape(23, 2)
    np.savez(
        tmp_path / "a.npz", train_images=FILMS, train_labels=labels, test_images=FILMS[:3], test_labels=several[:3],
        train_age=np.arange(4),
    )  # fmt: skip
    assert columns_of(tmp_path / "a.npz", "train_images").values == {"label": tuple(str(i % 2) for i in range(23))}
    assert columns_of(tmp_path / "a.npz", "test_images").values == {"label": ("0 1", "2 3", "4 5")}
    np.savez(tmp_path / "b.npz", x=FILMS, labels=labels, patients=np.array([f"p{i}" for i in range(23)]))
    columns = columns_of(tmp_path / "b.npz", "x").values
    assert columns["subject"][22] == "p22" and columns["label"][1] == "1"
    (tmp_path / "npy").mkdir()
    np.save(tmp_path / "npy" / "films.npy", FILMS)
    np.save(tmp_path / "npy" / "labels.npy", several)
    assert columns_of(tmp_path / "npy" / "films.npy", "").values["label"][1] == "2 3"
    (tmp_path / "npy" / "labels.npy").write_bytes((tmp_path / "npy" / "labels.npy").read_bytes()[:-9])
    assert columns_of(tmp_path / "npy" / "films.npy", "").values == {}


def test_missing_values_of_arrays_are_no_class_and_no_person(tmp_path: Path) -> None:
    """As in lists: `n/a` and NaN are empty, and labels that were saved as floats are those that were not."""
    np.savez(
        tmp_path / "a.npz", train_images=FILMS[:4], train_labels=[0.0, 1, np.nan, 1], train_subjects=["a", "n/a", "", "n/a"],
        train_age=[63.0, 58.5, 71, 80], train_findings=[[0, 1], [np.nan, np.nan], [np.nan, 1], [0, 0]],
        test_images=FILMS[:2], test_labels=[1, 0],
    )  # fmt: skip
    columns = columns_of(tmp_path / "a.npz", "train_images")
    assert columns.values["label"] == ("0", "1", "", "1") and columns.values["subject"] == ("a", "", "", "")
    assert columns.values["age"] == ("63", "58.5", "71", "80")
    assert columns.values["findings"] == ("0 1", "", "n/a 1", "0 0")
    assert "train_labels states no value of 1 of 4 films" in columns.notes
    assert columns_of(tmp_path / "a.npz", "test_images").values["label"] == ("1", "0")


def test_labels_in_the_form_of_keras_go_with_their_stack(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=FILMS, y_train=np.arange(23) % 2, x_test=FILMS[:3], y_test=[1, 0, 1])
    columns = columns_of(tmp_path / "a.npz", "x_train")
    assert columns.values["label"][:2] == ("0", "1") and columns.notes == ()
    assert columns_of(tmp_path / "a.npz", "x_test").values["label"] == ("1", "0", "1")
    entries = find_films(tmp_path / "a.npz").entries
    assert {entry.part: entry.extra["split"] for entry in entries} == {"x_train": "train", "x_test": "test"}


def test_arrays_beside_a_stack_that_are_not_read_are_named(tmp_path: Path) -> None:
    """Also a matrix of features, whose texts would fill the memory; an array of something else is none of them."""
    np.savez(tmp_path / "a.npz", x=FILMS, features=np.zeros((23, 512), np.float32), labels=np.arange(4), seed=3)
    columns = columns_of(tmp_path / "a.npz", "x")
    assert columns.values == {} and len(columns.notes) == 2
    assert "features has the shape (23, 512)" in columns.notes[0] and "labels has the shape (4,)" in columns.notes[1]
    for name, array in {"images": FILMS, "masks": FILMS, "labels": np.arange(23)}.items():
        np.save(tmp_path / f"{name}.npy", array)
    columns = columns_of(tmp_path / "images.npy", "")
    assert columns.values == {} and "labels belongs to none of the stacks images, masks" in columns.notes[0]
    with pytest.raises(SlideError, match="holds no stack of films"):
        films_of(tmp_path / "labels.npy")
