"""Missing values and numbers as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tile_engine.stores.lists.cells import MISSING_NUMBERS, number_column, read_number, read_numbers, value_of


@pytest.mark.parametrize("word", ["n/a", "N/A", "NA", "nan", "NaN", "#N/A", "null", " - ", "", "missing", "."])
def test_the_usual_words_are_missing_values(word: str) -> None:
    assert value_of(word) == "" and read_number(word) is None
    assert read_numbers([word]).unread == ()


def test_words_that_may_be_groups_are_values() -> None:
    assert [value_of(word) for word in ("none", "unknown", "0", "no")] == ["none", "unknown", "0", "no"]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("89+", 89), ("61,5", 61.5), (">89", 89), ("≥ 89", 89), ("~60", 60), ("61 y", 61), ("61 Years", 61), ("12%", 12),
     ("-3", -3), ("1e2", 100), (".5", 0.5), ("22.1 kg/m2", 22.1)],
)  # fmt: skip
def test_a_number_is_read_in_spite_of_what_stands_around_it(cell: str, value: float) -> None:
    found = read_numbers([cell])
    assert found.values == (value,) and not found.unread
    assert found.converted == (() if cell in ("-3", "1e2", ".5") else (cell,))


@pytest.mark.parametrize("cell", ["2a", "M1", "1.2.3,4", "2020-01-01", "61 or 62", "seven", "1_000", "inf", "1e999"])
def test_what_is_no_number_is_said(cell: str) -> None:
    found = read_numbers([cell])
    assert math.isnan(found.values[0]) and found.unread == (cell,)


def test_units_are_not_mixed() -> None:
    found = read_numbers(["60 y", "61", "7 months", "62 years"])
    assert found.unread == ("7 months",) and found.values[:2] == (60, 61)
    dose = read_numbers(["61", "70", "3 mg"])
    assert dose.unread == ("3 mg",) and dose.values[:2] == (61, 70)


def test_ages_are_years_whatever_their_units() -> None:
    found = number_column(["61", "70", "3 months", "006M", "1461 days", "026W"], "age")
    assert found is not None and not found.unread
    assert found.values[:5] == (61, 70, 0.25, 0.5, 4) and round(found.values[5], 2) == 0.5
    assert found.converted == ("3 months", "006M", "1461 days", "026W")


def test_what_is_no_age_is_left_out_and_named() -> None:
    found = number_column(["61", "-1", "615", "70", "0", "999", "20", "121"], "age")
    assert found is not None and found.unread == ("615", "121") and found.coded == ("-1", "999")
    assert read_numbers(["-1", "0.5", "-0.7"]).coded == () and read_numbers(["-1", "61", "70"]).coded == ("-1",)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["950", "1,234", "1,100"], [950, 1234, 1100]),
        (["1,234,567", "1,100"], [1234567, 1100]),
        (["1,234.5 ml", "2,000 ml", "3"], [1234.5, 2000, 3]),
        (["1.234", "0,5"], [1234, 0.5]),
        (["1.234,5", "7"], [1234.5, 7]),
        (["61,125", "7", "70"], [61.125, 7, 70]),
        (["0,250", "100"], [0.25, 100]),
        (["1.234", "950"], [1.234, 950]),
        (["61,125", "70,250", "999"], [61.125, 70.25, math.nan]),
        (["1,234", "9" * 5000], [1234, math.nan]),
        (["1,234", "2,345", "12.5"], [1234, 2345, 12.5]),
        (["1,234", "2,345", "12.5", "1.2.3"], [1234, 2345, 12.5, math.nan]),
    ],
)
def test_signs_between_thousands_are_told_from_decimals_by_the_column(cells: list[str], values: list[float]) -> None:
    found = read_numbers(cells)
    assert found.values == pytest.approx(values, nan_ok=True)
    read = [(cell, value) for cell, value in zip(cells, values, strict=True) if not math.isnan(value)]
    assert {cell for cell, value in read if cell != f"{value:g}"} == set(found.converted)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["3.412", "2.981", "3.105", "4.200", "3,4"], [3.412, 2.981, 3.105, 4.2, math.nan]),
        (["25.125", "31.500", "22,5 ml"], [25.125, 31.5, math.nan]),
        (["3,412", "2,981", "3,105", "3.4"], [3.412, 2.981, 3.105, math.nan]),
        (["1,234", "2,345", "12.500"], [1.234, 2.345, math.nan]),
        (["61,125", "70,250", "7.5"], [61.125, 70.25, math.nan]),
        (["1.234", "2.500", "0,5", "7,25"], [1234, 2500, 0.5, 7.25]),
    ],
)
def test_a_few_cells_do_not_make_thousands_of_the_decimals_of_most(cells: list[str], values: list[float]) -> None:
    found = read_numbers(cells, "age" if 70.25 in values else "")
    assert found.values == pytest.approx(values, nan_ok=True)
    assert found.unread == tuple(cell for cell, value in zip(cells, values, strict=True) if math.isnan(value))


def test_men_and_women_are_no_months() -> None:
    found = read_numbers(["63M", "58F", "71M", "70", "006M"], "age")
    assert found.unread == ("63M", "58F", "71M") and found.values[3:] == (70, 0.5)


@pytest.mark.parametrize("cells", [["63M", "71M", "20M"], ["63M", "58W", "20W"]])
def test_ages_with_a_sex_are_no_months_or_weeks_without_women_beside_them_either(cells: list[str]) -> None:
    assert read_numbers(cells, "age").unread == tuple(cells)
    assert read_numbers(["36M", "38W"], "age").values == pytest.approx([3, 0.728], abs=1e-3)


@pytest.mark.parametrize(
    "cells", [["2,512", "2,498", "2,505", "2.6"], ["3,412", "2,981", "4.4"], ["1,234", "1,456", "1,310", "0.9"]]
)
def test_a_number_of_the_size_of_decimals_does_not_make_thousands_of_them(cells: list[str]) -> None:
    found = read_numbers(cells)
    assert found.unread == (cells[-1],) and found.values[0] == float(cells[0].replace(",", "."))


def test_letters_of_infants_are_units() -> None:
    assert read_numbers(["6M", "18 m", "2Y", "26w", "3D"], "age").values == pytest.approx(
        [0.5, 1.5, 2, 0.498, 0.008], abs=1e-3
    )
    assert read_numbers(["30F", "26W", "40M"], "age").unread == ("30F", "40M")


@pytest.mark.parametrize("beside", ["101", "120", "999"])
def test_neither_an_age_nor_a_code_makes_decimal_commas_of_ages_signs_between_thousands(beside: str) -> None:
    found = read_numbers(["61,125", "70,250", beside], "age")
    assert found.values[:2] == (61.125, 70.25) and found.unread == ()


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FINITE.filter(lambda number: number not in MISSING_NUMBERS)))
def test_plain_numbers_are_themselves(numbers: list[float]) -> None:
    found = read_numbers([repr(number) for number in numbers])
    assert list(found.values) == numbers and not found.converted and not found.unread


def test_999_among_ages_is_a_missing_one_and_among_its_likes_a_number() -> None:
    ages = read_numbers(["61", "999", "70", "-9", "80"])
    assert ages.coded == ("999", "-9") and math.isnan(ages.values[1]) and not ages.unread
    assert read_numbers(["900", "999", "1100"]).coded == () and read_numbers(["999"]).coded == ()


def test_a_column_is_one_of_numbers_where_more_than_half_of_its_values_are() -> None:
    assert number_column(["1", "2", "x", ""]) is not None and number_column(["1", "x", "n/a"]) is None
    assert number_column(["", "n/a"]) is None and number_column(["07", "12"]) is None
    assert number_column(["07", "12"], "age") is not None
