"""A column of classes that the list lacks is an error before any work, in every run that has the option."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.steps.label_column import check_label
from tile_engine.errors import SettingsError


def job(label: str, *rows: dict[str, str], films: bool = False) -> Any:
    images = [SimpleNamespace(columns=row) for row in rows]
    batch = [SimpleNamespace(rows=images)] if films else [SimpleNamespace(rows=(one,)) for one in images]
    return SimpleNamespace(
        slides={str(i): one for i, one in enumerate(batch)},
        settings=SimpleNamespace(class_column=label),
        modality=SimpleNamespace(name="films" if films else "volumes"),
    )


@pytest.mark.parametrize("films", [False, True])
def test_a_column_without_values_is_refused_with_a_near_name(films: bool) -> None:
    rows = ({"Diagnosis": "AD", "dx": ""}, {"Diagnosis": "", "dx": ""})
    check_label(job("Diagnosis", *rows, films=films))
    check_label(job("label", *rows, films=films))  # nobody named it
    check_label(job("folder", *rows, films=films), ("folder",))
    with pytest.raises(SettingsError, match=r"the list has no such column\. Did you mean Diagnosis"):
        check_label(job("diagnosis", *rows, films=films))
    with pytest.raises(SettingsError, match=r"no (film|volume) has a value in that column"):
        check_label(job("dx", *rows, films=films))
