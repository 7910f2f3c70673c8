"""The spacing policy."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tile_engine.errors import SlideError
from tile_engine.stores.slides.spacing import (
    FROM_FILE,
    FROM_RESOLUTION,
    FROM_USER,
    Stated,
    from_resolution,
    parse_number,
    settle,
    unlikely_extent,
)


def test_what_is_given_goes_before_the_file_and_the_file_before_the_tags() -> None:
    stated = [Stated(None, None, FROM_FILE), Stated(0.25, 0.25, FROM_FILE), Stated(1.0, 1.0, FROM_RESOLUTION)]
    assert settle("s", 0.5, stated) == ((0.5, 0.5), FROM_USER)
    assert settle("s", None, stated) == ((0.25, 0.25), FROM_FILE)
    assert settle("s", None, stated[2:]) == ((1.0, 1.0), FROM_RESOLUTION)


def test_nobody_says_anything() -> None:
    with pytest.raises(SlideError, match="--mpp") as failure:
        settle("s", None, [Stated(None, None, FROM_FILE)])
    assert failure.value.code == "E_NO_MPP"


@pytest.mark.parametrize("y, x", [(0.0, 0.0), (-0.5, -0.5), (math.nan, math.nan), (0.04, 0.04), (21, 21), (0.5, 0.51)])
def test_an_absurd_spacing_is_refused_and_both_values_are_said(y: float, x: float) -> None:
    """Even where the resolution tags would say something better: the file contradicts itself."""
    with pytest.raises(SlideError, match=f"{y:.6g}.*{x:.6g}") as failure:
        settle("s", None, [Stated(y, x, FROM_FILE), Stated(0.5, 0.5, FROM_RESOLUTION)])
    assert failure.value.code == "E_BAD_MPP"


def test_a_difference_of_one_percent_is_kept() -> None:
    assert settle("s", None, [Stated(0.5, 0.503, FROM_FILE)])[0] == (0.5, 0.503)


@given(st.floats(0.05, 20))
def test_every_sensible_spacing_passes_as_it_is(mpp: float) -> None:
    assert settle("s", mpp, []) == ((mpp, mpp), FROM_USER)


def test_numbers_as_people_write_them() -> None:
    assert [parse_number(text) for text in ("0.5", " 0,25 ", "5e-1", "")] == [0.5, 0.25, 0.5, None]
    assert math.isnan(parse_number("half") or 0)


def test_resolution_tags_need_a_unit_and_a_value() -> None:
    assert from_resolution(20000, 20000, 10000.0).values == (0.5, 0.5)
    assert from_resolution(0, 0, 10000.0).missing
    assert from_resolution(72, 72, None).missing


@pytest.mark.parametrize(
    ("shape", "mpp", "said"),
    [((700, 1000), 0.5, "less than 1 mm"), ((50_000, 600_000), 0.5, "more than 250 mm"), ((900, 2000), 0.5, "")],
)
def test_a_spacing_that_makes_a_slide_of_half_a_millimetre_is_asked_about(
    shape: tuple[int, int], mpp: float, said: str
) -> None:
    question = unlikely_extent(shape, mpp)
    assert said in question and bool(question) == bool(said)
