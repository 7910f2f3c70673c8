"""Matching: pieces of the target come from people like those of the source, so that age and sex are no difference of sites.

The bias sampling of Roca et al., Med Image Anal 99:103388 (2025): the age distributions that a training sees are alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ....stores.frame import Array
from ....stores.lists.cells import number_column
from ....stores.lists.spellings import sex_of
from ...pipeline.job import Job
from ...pipeline.record import ImageRecord
from .settings import HarmonizeSettings

YEARS = 5.0
"""Difference in age at which a person is drawn 1.6 times more seldom."""
OTHER_SEX = 0.25
"""Chance of a person of the other sex, relative to one of the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Chances of the target's images, by image of the source."""

    chances: dict[str, Array]
    columns: list[str]
    """The columns that were matched; the others are not stated for every image."""

    @classmethod
    def between(cls, job: Job[HarmonizeSettings], source: Sequence[str], target: Sequence[str]) -> Matching:
        records = job.slides
        ages = ages_of(records)
        sexes = {i: sex_of(records[i].columns.get("sex", "")) for i in (*source, *target)}
        stated: dict[str, list[float | str]] = {"age": [ages[i] for i in sexes], "sex": [*sexes.values()]}
        columns = [name for name, values in stated.items() if _all_stated(values)]
        chances = {}
        for image in source:
            chance: Array = np.ones(len(target))
            if "age" in columns:
                years = np.array([ages[other] - ages[image] for other in target])
                chance = np.exp(-np.square(years / YEARS) / 2) + 1e-3
            if "sex" in columns:
                chance = chance * [1.0 if sexes[other] == sexes[image] else OTHER_SEX for other in target]
            chances[image] = chance / chance.sum()
        return cls(chances, columns)

    def weights(self, images: Sequence[str]) -> Array:
        """Chances of the target's images for pieces of these images of the source."""
        return np.asarray(np.mean([self.chances[image] for image in images], axis=0))


def ages_of(records: Mapping[str, ImageRecord]) -> dict[str, float]:
    """Image -> age, as columns of numbers are read everywhere; NaN where it is unknown."""
    column = number_column([record.columns.get("age", "") for record in records.values()], "age")
    return dict(zip(records, column.values if column else [math.nan] * len(records), strict=True))


def _all_stated(values: Iterable[float | str]) -> bool:
    return all(value == value and value != "" for value in values)
