"""Pictures as films: their depth, their planes and their alpha decide the values, and what was guessed is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from tile_engine.errors import SlideError
from tile_engine.stores.films.film import is_radiograph
from tile_engine.stores.films.reader import count_films, films_of, read_film
from tile_engine.stores.slides import picture_reader
from tile_engine.stores.slides.cohort import SlideEntry

Array = np.ndarray[Any, Any]
PLANE = np.random.default_rng(5).integers(0, 256, (30, 40)).astype(np.uint8)


def saved(path: Path, pixels: Array, mode: str | None = None) -> Path:
    Image.fromarray(pixels, mode).save(path) if mode is None else Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_eight_bits_are_a_255th_each(tmp_path: Path, name: str) -> None:
    film = read_film(saved(tmp_path / name, PLANE))
    np.testing.assert_allclose(film.values, PLANE / 255, atol=1e-7)
    assert film.values.dtype == np.float32 and film.facts == {"modality": "", "bits": "8", "shape": "30 x 40"}
    assert film.notes == () and is_radiograph(film.facts) is None


@pytest.mark.parametrize(("top", "bits"), [(1000, 10), (3000, 12), (9000, 14), (65535, 16)])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_those_that_hold_the_maximum(tmp_path: Path, top: int, bits: int, suffix: str) -> None:
    pixels = np.linspace(0, top, 1200).round().astype(np.uint16).reshape(30, 40)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(imagecodecs.png_encode(pixels)) if suffix == "png" else tifffile.imwrite(path, pixels)
    film = read_film(path)
    np.testing.assert_allclose(film.values, pixels / (2**bits - 1), atol=1e-6)
    assert film.notes == (f"states no range of its values; {bits} bits hold its maximum",)


def test_equal_planes_and_alpha_are_grey_and_said(tmp_path: Path) -> None:
    colours = np.repeat(PLANE[..., None], 3, axis=-1)
    film = read_film(saved(tmp_path / "a.png", colours))
    np.testing.assert_allclose(film.values, PLANE / 255, atol=1e-7)
    assert film.notes == ("its red, green and blue planes are equal and are read as grey",)
    alpha = np.full_like(PLANE, 255)
    alpha[0] = 0
    clear = read_film(saved(tmp_path / "b.png", np.dstack([colours, alpha])))
    np.testing.assert_allclose(clear.values, PLANE / 255, atol=1e-7)
    assert clear.notes[0] == "its transparency is dropped, though it is not the same everywhere"
    grey = read_film(saved(tmp_path / "c.png", np.dstack([PLANE, np.full_like(PLANE, 9)])))
    np.testing.assert_allclose(grey.values, PLANE / 255, atol=1e-7)
    assert grey.notes == ("its transparency is dropped",)


def test_colours_are_refused(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    for path in (
        saved(tmp_path / "a.png", colours),
        saved(tmp_path / "a.jpg", colours),
        saved(tmp_path / "a.tif", colours),
    ):
        with pytest.raises(SlideError, match="is in colour") as caught:
            read_film(path)
        assert caught.value.code == "E_UNSUPPORTED_PIXELS"


def test_white_is_zero_and_palettes_are_followed(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PLANE, photometric="miniswhite")
    film = read_film(tmp_path / "a.tif")
    np.testing.assert_allclose(film.values, 1 - PLANE / 255, atol=1e-6)
    assert any("turned round" in note for note in film.notes)
    palette = Image.fromarray(PLANE, "P")
    palette.putpalette([255 - v for v in range(256) for _ in range(3)])
    palette.save(tmp_path / "a.png")
    np.testing.assert_allclose(read_film(tmp_path / "a.png").values, 1 - PLANE / 255, atol=1e-6)


def test_a_jpeg_of_grey_is_the_film_that_its_decoder_gives(data: Path) -> None:
    path = sorted((data / "cxr" / "kermany-224" / "train" / "NORMAL").iterdir())[0]
    film = read_film(path)
    np.testing.assert_allclose(film.values, np.asarray(Image.open(path).convert("L")) / 255, atol=3 / 255)


def test_damage_and_claims_are_the_film_s_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.png", PLANE)
    assert count_films(SlideEntry("a", path, "a")) == 1
    (tmp_path / "b.png").write_bytes(path.read_bytes()[:300])
    (lost,) = films_of(tmp_path / "b.png")
    assert isinstance(lost, SlideError) and lost.code in ("E_TRUNCATED", "E_UNREADABLE")
    monkeypatch.setattr(picture_reader, "MAX_PICTURE_PIXELS", 1000)
    with pytest.raises(SlideError) as caught:
        read_film(path)
    assert caught.value.code == "E_BOMB"


def test_other_files_are_no_films(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("<html>not found</html>")
    with pytest.raises(SlideError, match="HTML page") as caught:
        read_film(tmp_path / "a.png")
    assert caught.value.code == "E_NOT_A_FILM"
    with pytest.raises(SlideError) as caught:
        read_film(tmp_path)
    assert caught.value.code == "E_NOT_A_FILM"
