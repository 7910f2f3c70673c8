"""Headings of real lists, and the columns that they are."""

from __future__ import annotations

import pytest

from tile_engine.stores.lists.headings import CARRIED, listed_column, meanings


@pytest.mark.parametrize(
    ("heading", "meaning"),
    [
        ("Subject ID", "subject"), ("subject_id", "subject"), ("SUBJECT", "subject"), ("Patient", "subject"),
        ("PatientID", "subject"), ("patient-id", "subject"), ("participant_id", "subject"), ("Case", "subject"),
        ("case_id", "subject"), ("Slide", "path"), ("slide_id", "path"), ("File", "path"), ("File Name", "path"),
        ("filename", "path"), ("PATH", "path"), ("Stain", "stain"), ("Scanner", "scanner"), ("Site", "site"),
        ("center", "site"), ("Centre", "site"), ("Group", "group"), ("Age (years)", "age"), ("MPP", "mpp"),
        ("mpp (um)", "mpp"), ("mpp (µm/px)", "mpp"), ("µm per pixel", "mpp"), ("Label", "label"), ("Session ID", "session"),
        ("mpp (nm)", "mpp (nm)"), ("diagnosis", "diagnosis"), ("group id", "group id"), ("", None),
    ],
)  # fmt: skip
def test_a_heading_has_its_meaning_in_every_spelling(heading: str, meaning: str | None) -> None:
    assert meanings([heading]).get(heading) == meaning


def test_of_two_claims_the_better_counts_and_the_other_keeps_its_name() -> None:
    found = meanings(["case", "Slide", "Subject ID", "path", "label", "Label", "group"])
    assert found == {
        "case": "case", "Slide": "Slide", "Subject ID": "subject", "path": "path", "label": "label", "Label": "Label",
        "group": "group",
    }  # fmt: skip
    assert len(set(found.values())) == len(found)


def test_only_what_may_be_meant_is() -> None:
    assert meanings(["Part", "MPP"], {"path", *CARRIED}) == {"Part": "Part", "MPP": "MPP"}


def test_a_column_is_named_by_itself_then_by_its_meaning_then_in_another_spelling() -> None:
    columns = ["sex", "Gender", "Diagnosis"]
    meant = [listed_column(name, columns) for name in ("Gender", "SEX", "patient sex", "diagnosis", "gender", "dx")]
    assert meant == ["Gender", "sex", "sex", "Diagnosis", "sex", "dx"]


def test_an_age_in_another_unit_than_years_is_no_age() -> None:
    assert meanings(["Age (months)", "sex"]) == {"Age (months)": "Age (months)", "sex": "sex"}
    assert meanings(["Age (Years)"]) == {"Age (Years)": "age"}
