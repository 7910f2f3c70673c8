"""The column `split`: one meaning in every run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.images.modality import VOLUMES
from tile_engine.engine.runs.embed import folds as embed_folds
from tile_engine.engine.runs.harmonize import sites as harmonize_sites
from tile_engine.engine.runs.sites import folds as site_folds
from tile_engine.engine.steps.split_column import check_sides, check_split, learned_and_judged
from tile_engine.errors import SettingsError

WORDS = ["train", "train", "Validation", "val", "test", "TEST "]
IMAGES = [f"i{n}" for n in range(len(WORDS))]


def job(words: list[str]) -> Any:
    slides = {}
    for n, word in enumerate(words):
        columns = {"split": word, "label": ("a", "b")[n % 2]}
        slides[f"i{n}"] = SimpleNamespace(id=f"i{n}", site="AB"[n % 2], subject=f"p{n}", columns=columns)
    settings = SimpleNamespace(cv=2, seed=0, holdout=0.3)
    return SimpleNamespace(slides=slides, modality=VOLUMES, settings=settings, slides_before=lambda step: slides)


@pytest.mark.parametrize(
    ("words", "judged"), [(WORDS, [4, 5]), (["train"] * 4 + ["val", "valid"], [4, 5]), (["fit"] * 5 + ["holdout"], [5])]
)
def test_every_run_judges_the_same_images(words: list[str], judged: list[int]) -> None:
    learned = [n for n in range(len(words)) if n not in judged]
    for folds in (site_folds.folds_of(job(words)), embed_folds.folds_of(job(words))):
        assert [side.tolist() for side in folds["split"]] == [learned, judged]
    held, how = harmonize_sites._held_out(job(words), {"A": tuple(IMAGES[::2]), "B": tuple(IMAGES[1::2])})
    assert held == {IMAGES[n] for n in judged} and "split" in how


def test_images_without_a_word_are_held_out_where_the_list_names_only_those_to_fit() -> None:
    held, _ = harmonize_sites._held_out(job(["train", "train", "", ""]), {"A": ("i0", "i2"), "B": ("i1", "i3")})
    assert held == {"i2", "i3"}


def test_a_word_that_names_no_part_is_refused_with_those_that_do() -> None:
    with pytest.raises(
        SettingsError, match=r"'fold 3', which names no part: write train, validation or test"
    ) as caught:
        check_split(["train", "fold 3", ""])
    assert caught.value.code == "E_SPLIT"
    for check in (site_folds.check_sites, lambda j: harmonize_sites._held_out(j, {"A": ("i0",), "B": ("i1",)})):
        with pytest.raises(SettingsError, match="'spare'"):
            check(job(["train", "spare", "test", "test"]))


def test_a_subject_on_both_sides_is_named() -> None:
    subjects = np.array(["p1", "p2", "p1", "p3"])
    with pytest.raises(SettingsError, match="1 subjects are on both sides of the column `split`, as p1"):
        check_sides(subjects, np.array([0, 1]), np.array([2, 3]))
    check_sides(subjects, np.array([0, 2]), np.array([1, 3]))
    learned, judged = learned_and_judged(["", ""])
    assert not learned.any() and not judged.any()
