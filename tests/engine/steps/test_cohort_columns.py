"""Columns of the user's list that clusters are held against."""

from __future__ import annotations

from dataclasses import replace

from tile_engine.engine.pipeline.record import ImageRecord
from tile_engine.engine.steps.cohort_columns import cohort_columns

SLIDE = ImageRecord(
    id="a-1",
    name="a.tif",
    path="/slides/a.tif",
    fingerprint="f",
    mpp=None,
    subject="s1",
    site="",
    columns={"stain": "HE "},
    reader="tiff",
    native_spacing=0.5,
    native_shape=(9, 9),
    channels=3,
    dtype="uint8",
    background=255,
    shape=(9, 9),
    spacing=(0.5, 0.5),
)


def test_columns_have_a_value_an_image_and_the_others_are_named() -> None:
    found = cohort_columns([SLIDE, replace(SLIDE, id="b-2", subject="", columns={"stain": "HE", "age": "70"})])
    assert found.values == {"subject": ("s1", ""), "stain": ("HE", "HE")}
    assert found.absent == ("scanner", "site", "group") and found.subjects == ("s1", "")


def test_columns_that_divide_the_images_and_are_not_compared_are_named() -> None:
    rows = [
        {"diag": "A", "age": "61", "note": "x"},
        {"diag": "A", "age": "61", "note": "y"},
        {"diag": "B", "age": "70"},
    ]
    found = cohort_columns([replace(SLIDE, id=f"{i}", columns=row | {"stain": "HE"}) for i, row in enumerate(rows)])
    assert found.others == ("diag",), "neither numbers nor comments that stand once"
