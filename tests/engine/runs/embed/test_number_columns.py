"""Columns that are nearly numbers are numbers, and those without figures are named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tile_engine.engine.runs.embed.number_columns import number_columns


def job(**columns: list[str]) -> Any:
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    slides = {str(i): SimpleNamespace(columns=row) for i, row in enumerate(rows)}
    return SimpleNamespace(slides=slides, settings=SimpleNamespace(label="label"))


def test_bounds_decimal_commas_and_the_case_of_letters_do_no_harm() -> None:
    found = number_columns(
        job(
            comma=[f"{60 + i},5" for i in range(20)],
            age=["89+"] * 5 + [str(60 + i) for i in range(15)],
            sex=[["M", "F", "f"][i % 3] for i in range(20)],
            label=["0", "1"] * 10,
            diagnosis=[f"d{i % 3}" for i in range(20)],
        )
    )
    assert list(found.values) == ["comma", "age", "sex"] and found.left_out == ()
    assert found.values["comma"][3] == 63.5 and found.values["age"][0] == 89
    assert found.values["sex"].tolist() == [1, 0, 0] * 6 + [1, 0]


def test_columns_without_figures_are_named_with_the_reason() -> None:
    found = number_columns(job(bmi=[str(20 + i) if i < 15 else "" for i in range(20)], field=["3"] * 20))
    assert found.values == {}
    assert found.left_out == (
        "bmi (15 of 20 volumes have a value that can be read)",
        "field (all volumes have one value)",
    )


def test_numbers_for_missing_values_are_no_value_of_a_column() -> None:
    code = "-9"
    found = number_columns(
        job(
            smoker=["1"] * 19 + [code],
            drinker=["1", "0"] * 9 + [code, "1"],
            asks=["yes", "no"] * 9 + [code, "Yes"],
            bins=["<5", "≥5"] * 10,
            sex=["M", "f"] * 9 + ["unknown", "male"],
            arm=["1", "-1"] * 10,
        )
    )
    assert list(found.values) == ["drinker", "asks", "bins", "sex", "arm"]
    assert set(found.values.pop("arm").tolist()) == {1, -1}
    for values in found.values.values():
        assert set(values[np.isfinite(values)].tolist()) == {0, 1}
    assert np.isnan(found.values["drinker"][18]) and np.isnan(found.values["asks"][18])
    assert found.left_out == (
        "smoker (all volumes have one value)",
        "cells of drinker (-9)",
        "cells of asks (-9)",
        "cells of sex (unknown)",
    )


def test_no_more_than_twenty_columns_are_evaluated() -> None:
    found = number_columns(job(**{f"x{i}": [str(i), str(i + 1), "9"] for i in range(22)}))
    assert len(found.values) == 20 and found.left_out[0].startswith("x20 (20 columns before it")
    assert np.isfinite(found.values["x3"]).all()


def test_a_few_cells_that_are_no_numbers_do_not_make_a_column_text() -> None:
    from tile_engine.engine.steps.list_columns import column

    ages = [*map(str, range(60, 80)), "unknown", "999", "71,5", "n/a"]
    assert column(ages, "age").tolist()[-4:-1] != ages[-4:-1]
    assert np.isnan(column(ages, "age")[[20, 21, 23]]).all() and column(ages, "age")[22] == 71.5
    assert column(["063Y", "070Y"], "age").tolist() == [63, 70]
    assert column(["2a", "2b", "3"], "stage").tolist() == ["2a", "2b", "3"]
