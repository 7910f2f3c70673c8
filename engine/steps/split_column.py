"""split_column: what the column `split` of the user's list says: the same words in every run.

Images of `train` and `validation` are learned from, those of `test` are judged. In a list without `test`, those of `validation`
are judged. A run that tunes something on validation images (run classify) keeps them apart from those that it trains on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ...errors import SettingsError
from ...stores.frame import Array

NONE, TRAIN, VALIDATION, TEST = 0, 1, 2, 3
PARTS = {
    **dict.fromkeys(("train", "training", "fit"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing", "holdout", "held-out"), TEST),
}
"""Word of the column -> part."""


def parts_of_split(texts: Iterable[str]) -> Array:
    """The part of each image, uint8; NONE where the list states none, or has another word.

    >>> parts_of_split(["Train", "", "val", "test ", "fold 3"]).tolist()
    [1, 0, 2, 3, 0]
    """
    return np.array([PARTS.get(text.strip().lower(), NONE) for text in texts], np.uint8)


def learned_and_judged(texts: Sequence[str]) -> tuple[Array, Array]:
    """Whether the list says of each image that it is learned from, and that it is judged: bool (n,) each.

    >>> [side.tolist() for side in learned_and_judged(["train", "validation", "test"])]
    [[True, True, False], [False, False, True]]
    >>> [side.tolist() for side in learned_and_judged(["train", "validation", ""])]
    [[True, False, False], [False, True, False]]
    """
    parts = parts_of_split(texts)
    judged = TEST if (parts == TEST).any() else VALIDATION
    return ((parts == TRAIN) | (parts == VALIDATION)) & (parts != judged), parts == judged


def unknown_words(texts: Iterable[str]) -> list[str]:
    """Words of the column that name no part, sorted."""
    return sorted({word for word in (text.strip() for text in texts) if word and word.lower() not in PARTS})


def check_split(texts: Iterable[str]) -> None:
    """Raises SettingsError (E_SPLIT) where the column has a word that names no part."""
    if words := unknown_words(texts):
        raise SettingsError(
            f"the column `split` says {', '.join(map(repr, words[:5]))}, which names no part: write train, validation or test, "
            "or nothing; or give the column another name, and the run divides the images itself.",
            "E_SPLIT",
        )


def check_sides(subjects: Array, learned: Array, judged: Array) -> None:
    """Raises SettingsError (E_SPLIT) where a subject is learned from and judged; `learned`, `judged`: rows, or bool (n,)."""
    if both := sorted(set(subjects[learned]) & set(subjects[judged])):
        raise SettingsError(
            f"{len(both)} subjects are on both sides of the column `split`, as {', '.join(both[:5])}: the network would be "
            "judged on subjects that it was trained on. Put each subject on one side.",
            "E_SPLIT",
        )
