"""plane_columns: which columns of a list the plane is coloured by, and in which order."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tile_engine.engine.steps.volumes.plane_columns import MAX_COLUMNS, not_drawn, plane_columns


def test_class_age_and_sex_come_first_and_what_tells_nothing_is_left_out() -> None:
    columns = {
        "scanner": ["A", "B"] * 20,
        "one": ["x"] * 40,
        "number": [f"p{i}" for i in range(40)],
        "sex": [1.0, 2.0, np.nan, 1.0] * 10,
        "Age": [float(i) for i in range(39)] + [np.nan],
        "label": ["ill", "", "well", "ill"] * 10,
    }
    found, more = plane_columns(pd.DataFrame(columns), columns)
    assert list(found) == ["label", "Age", "sex", "scanner"] and more == ()
    assert found["sex"].tolist()[:3] == ["1", "2", ""]
    assert found["Age"].dtype.kind == "f" and np.isnan(found["Age"][-1])


def test_columns_beyond_the_bound_are_named() -> None:
    columns = {f"c{i}": ["a", "b"] for i in range(MAX_COLUMNS + 2)}
    found, more = plane_columns(pd.DataFrame(columns), columns)
    assert len(found) == MAX_COLUMNS and more == (f"c{MAX_COLUMNS}", f"c{MAX_COLUMNS + 1}")


def test_a_report_says_which_columns_are_not_drawn() -> None:
    assert not_drawn(("dose", "scanner")) == ("Columns of the list that are not drawn: dose, scanner.",)
    assert not_drawn(()) == ()
