"""Borders: planted ones are found to the line, and films without any are left whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, rotate

from tile_engine.stores.films.borders import exposed_box
from tile_engine.stores.films.reader import read_film

Array = np.ndarray[Any, Any]


def chest(height: int = 300, width: int = 260, seed: int = 0) -> Array:
    """A field with two dark lungs, bright bodies, ribs and noise, without borders."""
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    lungs = sum(np.exp(-((((x - c) / 0.16) ** 2 + ((y - 0.45) / 0.3) ** 2) ** 3)) for c in (0.3, 0.7))
    body = 0.75 - 0.5 * lungs + 0.06 * np.sin(40 * y + 6 * x) + 0.15 * (x - 0.5) * y
    noise = np.random.default_rng(seed).normal(0, 0.02, body.shape)
    return np.clip(body + noise, 0.05, 0.95).astype(np.float32)


def framed(film: Array, sides: tuple[int, int, int, int], level: float) -> Array:
    """A film with borders of (top, bottom, left, right) lines."""
    top, bottom, left, right = sides
    return np.pad(film, ((top, bottom), (left, right)), constant_values=level)


SIDES = st.tuples(*[st.integers(0, 60)] * 4)


@given(sides=SIDES, level=st.sampled_from([0.0, 1.0, 0.02]), seed=st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_a_constant_frame_is_found_to_the_line(sides: tuple[int, int, int, int], level: float, seed: int) -> None:
    film = chest(seed=seed)
    exposed = exposed_box(framed(film, sides, level))
    assert exposed.box.start == (sides[0], sides[2]) and exposed.box.shape == film.shape
    assert exposed.border_share == pytest.approx(1 - film.size / framed(film, sides, level).size)
    assert bool(exposed.note) == any(sides)


@pytest.mark.parametrize("level", [0.03, 0.98])
def test_a_collimator_s_shadow_with_scatter_and_a_blurred_edge_is_found(level: float) -> None:
    sides = (40, 30, 50, 20)
    film = gaussian_filter(framed(chest(), sides, level), 1.0)
    film += np.random.default_rng(1).normal(0, 0.008, film.shape).astype(np.float32)
    exposed = exposed_box(np.clip(film, 0, 1))
    assert np.abs(np.subtract(exposed.box.start, (40, 50))).max() <= 3
    assert np.abs(np.subtract(exposed.box.stop, (340, 310))).max() <= 3
    assert "borders take" in exposed.note and f"{exposed.border_share:.1%}" in exposed.note


def test_a_marker_in_a_border_does_not_hide_it() -> None:
    film = framed(chest(), (40, 0, 0, 0), 0.0)
    film[10:30, 5:7] = 1.0
    assert exposed_box(film).box.start == (40, 0)


@given(seed=st.integers(0, 20), turn=st.integers(0, 3))
@settings(max_examples=12, deadline=None)
def test_a_film_without_borders_is_left_whole(seed: int, turn: int) -> None:
    film = np.rot90(chest(seed=seed), turn)
    exposed = exposed_box(film)
    assert exposed.box.shape == film.shape and (exposed.border_share, exposed.note) == (0, "")


def test_the_dark_edge_of_a_lung_and_a_slow_shadow_are_no_borders() -> None:
    film = chest()
    shadow = film * np.clip(np.linspace(0.2, 4, film.shape[1]), 0, 1)[None]  # the side falls off slowly
    bent = film.copy()
    y, x = np.mgrid[0:300, 0:260]
    bent[x < 25 + 20 * np.sin(y / 60)] = 0.04  # a dark side with a bent edge
    for values in (shadow, bent):
        assert exposed_box(values.astype(np.float32)).border_share < 0.03


def test_of_a_turned_collimator_only_constant_lines_go() -> None:
    turned = rotate(framed(chest(), (60, 60, 60, 60), 0.0), 7, reshape=False, order=1)
    exposed = exposed_box(turned)
    field = np.argwhere(turned > 0.02)
    assert np.abs(np.subtract(exposed.box.start, field.min(0))).max() <= 2  # its corners may go
    assert np.abs(np.subtract(exposed.box.stop, field.max(0) + 1)).max() <= 2


def test_where_nothing_would_be_left_no_border_is_believed() -> None:
    assert exposed_box(np.zeros((50, 40), np.float32)).box.shape == (50, 40)
    tiny = framed(chest(20, 20), (100, 100, 100, 100), 0.0)
    exposed = exposed_box(tiny)
    assert exposed.box.shape == tiny.shape and "none is believed" in exposed.note


def test_real_films_lose_their_borders_alone(data: Path) -> None:
    folder = data / "cxr" / "dicom"
    for name in ("00000001_000.png", "00027426_000.png", "RG1_J2KI.dcm", "gdcm-CR-MONO1-10-chest.dcm", "16747_3_1.jpg"):
        assert exposed_box(read_film(folder / name).values).border_share == 0, name
    jaw = exposed_box(read_film(folder / "CR-ModalitySequenceLUT.dcm").values)
    assert jaw.border_share == pytest.approx(0.476, abs=0.01) and jaw.box.shape == (882, 1851)
