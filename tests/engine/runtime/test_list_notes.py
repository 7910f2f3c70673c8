"""What a run does without is said: a column of classes that it does not use, and subjects that it does not know."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.pipeline.settings import settings_of
from tile_engine.engine.runs import pipeline
from tile_engine.engine.runtime.class_column import (
    columns_of,
    recorded_columns,
    with_class_column,
    with_joined_classes,
)
from tile_engine.engine.runtime.list_notes import list_notes
from tile_engine.stores.slides.cohort import Cohort, SlideEntry


def notes(run: str, variant: str, rows: list[dict[str, str]], **settings: Any) -> str:
    spec = pipeline(run, variant)
    entries = tuple(
        SlideEntry(f"i{i}", Path(f"{i}.nii"), f"{i}.nii", subject=row.pop("subject", ""), extra=row)
        for i, row in enumerate(rows)
    )
    cohort = Cohort(entries, (), Path())
    return "\n".join(list_notes(cohort, spec, settings_of(settings, spec.variant.settings)))


def test_a_column_of_classes_that_is_not_used_is_named_with_the_option_that_takes_it() -> None:
    rows = [{"subject": "a", "Diagnosis": "AD", "age": "61"}, {"subject": "b", "Diagnosis": "CN", "age": "62"}]
    said = notes("embed", "volumes", [dict(row) for row in rows])
    assert said == "Diagnosis: not used as the class of an image; --label Diagnosis takes it as the class"
    assert notes("embed", "volumes", [dict(row) for row in rows], label="Diagnosis") == ""
    assert notes("embed", "volumes", [{**row, "label": "x"} for row in rows]) == ""
    said = notes("anomaly", "volumes", [dict(row) for row in rows], label="diagnosis")
    assert said == "--label diagnosis: the column 'Diagnosis' of the list is the class"
    named = notes("embed", "volumes", [{"subject": "a", "Dx Group": "AD"}, {"subject": "b"}])
    assert "--label 'Dx Group' takes" in named
    assert notes("cluster", "subjects", [dict(row) for row in rows]) == ""  # it compares all columns
    assert "--label Diagnosis" in notes("anomaly", "films", [dict(row) for row in rows])


@pytest.mark.parametrize(("run", "variant"), [("embed", "volumes"), ("cluster", "slides"), ("sites", "volumes")])
def test_images_without_known_subjects_count_as_subjects_of_their_own_and_it_is_said(run: str, variant: str) -> None:
    said = notes(run, variant, [{"code": "1"}, {"code": "2"}])
    assert "counts as a subject of its own" in said and "columns of the list are code" in said
    assert notes(run, variant, [{"subject": "i0"}, {"subject": "i1"}]) != ""  # the images' own ids
    assert notes(run, variant, [{"subject": "p"}, {}]) == ""
    assert notes(run, variant, [{}]) == ""


@pytest.mark.parametrize(("run", "variant"), [("embed", "volumes"), ("anomaly", "slides"), ("classify", "films")])
def test_the_label_means_one_column_in_every_run_and_its_classes_are_joined(run: str, variant: str) -> None:
    spec = pipeline(run, variant)
    settings = settings_of({"label": "my grade"}, spec.variant.settings)
    rows = [{"My Grade": f"class {i}", "sex": "M"} for i in range(20)] + [{"My Grade": "Class 3", "sex": "M"}]
    entries = tuple(SlideEntry(f"i{i}", Path(f"{i}.nii"), f"{i}.nii", extra=row) for i, row in enumerate(rows))
    cohort = Cohort(entries, (), Path(), listed=True)
    settings = with_class_column(settings, columns_of(cohort))
    assert settings.class_column == "My Grade"
    joined = with_joined_classes(cohort, settings)
    assert joined.entries[20].extra["My Grade"] == "class 3" and "'Class 3' (1) taken for" in joined.warnings[0]


def test_a_run_that_has_begun_on_films_knows_the_columns_of_their_files() -> None:
    films = tuple(SimpleNamespace(columns=row) for row in ({"sex": "M"}, {"sex": "F", "dx": "AD"}))
    batch: Any = SimpleNamespace(rows=films)
    assert recorded_columns([batch]) == ["sex", "dx"]
    settings = settings_of({"label": "Gender"}, pipeline("classify", "films").variant.settings)
    assert with_class_column(settings, recorded_columns([batch])).class_column == "sex"
