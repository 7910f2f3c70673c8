"""medium: what differs between films, tiles of slides and slices of volumes; everything else of the run serves all three.

```text
row      a film, a slide, a volume: divided into parts, scored, judged, a row of the table
image    a film, a tile of tissue, an axial slice: a square that networks learn and look at
```
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import SettingsError
from ....stores.array import StoredArray
from ....stores.folder import Folder
from ....stores.frame import Array
from ...pipeline.job import Job
from ...steps.list_columns import list_texts

if TYPE_CHECKING:
    from ....models.batches import Patches
    from .evaluate import Judged

PART = "part"
NONE, TRAIN, TEST = 0, 1, 2
"""Part of a row: not used or not judged, trained on, judged as unseen."""
LEAST_IMAGES = 8
"""Images that networks are trained on, at least."""
Prior = tuple[tuple[float, ...], ...] | None
"""Where anomalies are pasted: weights on a coarse grid over an image; None for anywhere."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of all rows of a run; each an array (row,)."""

    texts: Mapping[str, Array]
    """name, subject, site, label, split, reason ...: object arrays of text; `reason` is empty for a row that is used."""
    properties: Mapping[str, Array]
    """What grey values alone say, by name: numbers, nan where unknown."""

    def __len__(self) -> int:
        return len(self.texts["name"])

    @property
    def used(self) -> Array:
        """Rows that are used, ascending."""
        return np.flatnonzero(self.texts["reason"] == "")


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of the report."""

    path: Path
    caption: str


@dataclass(frozen=True, slots=True)
class Medium:
    """Films, slides or volumes, as this run needs them."""

    name: str
    """Of the rows: films."""
    seen: str
    """Of the images: films, tiles, slices."""
    store: Callable[[Folder], Path]
    """Where the array of parts lies."""
    texts: Callable[[Job[Any]], Mapping[str, Array]]
    """What the list says of each row: see `Rows.texts`."""
    images: Callable[[Job[Any]], Patches]
    """The images of the rows to train on, (n, C, side, side)."""
    prior: Callable[[Array], Prior]
    """Mean image (side, side) in [0, 1] -> where anomalies are pasted."""
    scores: Callable[[Job[Any]], dict[str, Array]]
    """Name -> score of each row; nan where it is not scored."""
    properties: Callable[[Job[Any]], Mapping[str, Array]]
    """See `Rows.properties`; known once all rows are scored."""
    listed: Callable[[Job[Any], int], Mapping[str, Sequence[str]]]
    """(job, number of rows) -> all columns of the user's list: name -> the text of each row."""
    galleries: Callable[[Job[Any], Judged, Array], dict[str, Figure]]
    """(job, judged rows, their score) -> pictures for the report, by name."""
    single: Callable[[Job[Any], Array], tuple[dict[str, Array], Array]] | None = None
    """(job, rows) -> name -> score of each of their images, and its row; None where a row is one image."""
    score: str = ""
    """How a row's score is made of those of its images; empty where a row is one image."""
    least: int = 1
    """Rows to train on, at least."""
    most: Callable[[Any], int] = lambda settings: 1 << 62
    """Settings -> rows that are trained on, at most."""
    compared: int = 1 << 62
    """Training images, at most, that others are compared with."""
    trains_on_all: bool = False
    """Whether no row is held out where no label is known: what is rare in all of them is sought."""

    def rows(self, job: Job[Any]) -> Rows:
        """All columns, once all rows are scored."""
        return Rows(self.texts(job), self.properties(job))

    def parts(self, job: Job[Any]) -> Array:
        """Part of each row, (row,) uint8."""
        return StoredArray.open(self.store(job.folder) / PART).read_all()

    def training(self, job: Job[Any]) -> Patches:
        """The images to train on. Raises SettingsError (E_NO_TRAINING) for too few."""
        images = self.images(job)
        if len(images) < LEAST_IMAGES:
            raise SettingsError(
                f"there are {len(images)} {self.seen} to train on, and networks need {LEAST_IMAGES}: the {self.name} of the "
                "training part show too little. Add some, or check what was masked.",
                "E_NO_TRAINING",
            )
        return images


def texts_of_images(job: Job[Any], ids: list[str]) -> dict[str, Array]:
    """What the list says of slides or volumes, in the order of `ids`; those that were rejected since have that as reason."""
    names = ("name", "subject", "site", "label", "split", "reason")
    texts = {name: np.full(len(ids), "", object) for name in names}
    for row, image in enumerate(ids):
        record = job.slides.get(image)
        if record is None:
            texts["name"][row], texts["reason"][row] = image, "rejected"
            continue
        texts["name"][row], texts["subject"][row] = record.name, record.subject or record.name
        texts["site"][row] = record.site
        texts["label"][row] = record.columns.get(job.settings.class_column, "")
        texts["split"][row] = record.columns.get("split", "")
    return texts


def listed_of_images(job: Job[Any], ids: list[str]) -> dict[str, list[str]]:
    """All columns of the user's list of slides or volumes, in the order of `ids`; "" of those that were rejected since."""
    texts = list_texts(list(job.slides.values()))
    rows = {image: row for row, image in enumerate(job.slides)}
    return {name: [values[rows[image]] if image in rows else "" for image in ids] for name, values in texts.items()}
