"""class_column: the column of the list that the setting `label` means, for every run alike, and its values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

from ...stores.lists.headings import listed_column
from ...stores.slides.cohort import Cohort
from ...stores.slides.joined_values import with_joined_values
from ..pipeline.record import ImageRecord
from ..pipeline.settings import RunSettings

S = TypeVar("S", bound=RunSettings)


def columns_of(cohort: Cohort) -> list[str]:
    """Columns of the lists of a cohort, beside those of subjects, sites and spacings."""
    return list(dict.fromkeys(name for entry in cohort.entries for name in entry.extra))


def recorded_columns(images: Iterable[ImageRecord]) -> list[str]:
    """The same of the images of a run that has begun; those of films are in the rows of their files."""
    return list(dict.fromkeys(name for image in images for row in image.rows for name in row.columns))


def has_class_column(settings: RunSettings) -> bool:
    """Whether the user may name the column of classes."""
    return "label" in type(settings).model_fields


def with_class_column(settings: S, columns: Collection[str]) -> S:
    """The settings with the name that the column of classes has among these."""
    if not has_class_column(settings):
        return settings
    column = listed_column(settings.class_column, columns)
    return settings if column == settings.class_column else settings.model_copy(update={"label": column})


def with_joined_classes(cohort: Cohort, settings: RunSettings) -> Cohort:
    """The cohort with one spelling of every class, however many there are; the column may have any heading."""
    if not (cohort.listed and has_class_column(settings)):
        return cohort
    return with_joined_values(cohort, {settings.class_column})
