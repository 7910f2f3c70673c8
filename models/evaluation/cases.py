"""LabelledCases: embeddings with the class and subject of each; the input of every evaluation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCases:
    """Embeddings, classes and subjects of n cases.

    >>> cases = LabelledCases(np.eye(3), np.array([0, -1, 1]))
    >>> len(cases), len(cases.labelled())
    (3, 2)
    """

    embeddings: Array
    """(n, F) floats."""
    classes: Array
    """(n,) integers; -1 = unknown."""
    subjects: Array | None = None
    """(n,) of any type: cases of one subject are never counted as neighbours. None = each case is its own subject."""

    def __post_init__(self) -> None:
        lengths = {
            len(self.embeddings),
            len(self.classes),
            len(self.classes if self.subjects is None else self.subjects),
        }
        if len(lengths) > 1:
            raise ValueError(f"embeddings, classes and subjects are of different lengths: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.embeddings)

    def __getitem__(self, rows: Array) -> LabelledCases:
        subjects = None if self.subjects is None else self.subjects[rows]
        return replace(self, embeddings=self.embeddings[rows], classes=self.classes[rows], subjects=subjects)

    def labelled(self) -> LabelledCases:
        """The cases whose class is known."""
        return self[np.flatnonzero(self.classes >= 0)]
