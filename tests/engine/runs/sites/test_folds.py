"""Folds of sites: by subject, every site in each training set; what cannot be judged is refused with a reason."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.images.modality import VOLUMES
from tile_engine.engine.runs.sites.folds import check_sites, fold_of, folds_of, why_fewer
from tile_engine.engine.runs.sites.networks import sites_of
from tile_engine.errors import SettingsError


def job(rows: list[tuple[str, str]], *, cv: int = 5, split: list[str] | None = None) -> Any:
    """A run of images with these (subject, site)."""
    slides = {
        f"i{n}": SimpleNamespace(id=f"i{n}", subject=subject, site=site, columns={"split": split[n]} if split else {})
        for n, (subject, site) in enumerate(rows)
    }
    settings = SimpleNamespace(cv=cv, seed=0, shuffled_networks=2)
    return SimpleNamespace(slides=slides, settings=settings, modality=VOLUMES)


TRAVELLERS = [(f"s{n}", site) for n in range(6) for site in "AB"]


def test_each_image_is_judged_once_by_a_network_that_did_not_see_its_subject() -> None:
    one = job(TRAVELLERS, cv=3)
    subjects = np.array([subject for subject, _ in TRAVELLERS])
    judged = np.concatenate([rows for _, rows in folds_of(one).values()])
    assert sorted(judged.tolist()) == list(range(12)) and len(folds_of(one)) == 3 and not why_fewer(one)
    for train, test in folds_of(one).values():
        assert not set(subjects[train]) & set(subjects[test])
    assert fold_of(one, "i0") == fold_of(one, "i1") != ""


def test_each_fold_trains_on_every_site_however_few_subjects_it_has() -> None:
    one = job([(f"a{n}", "A") for n in range(8)] + [("b0", "B"), ("b1", "B")])
    check_sites(one)
    assert all({8, 9} & set(train.tolist()) for train, _ in folds_of(one).values())


def test_fewer_folds_say_why() -> None:
    few = job([(f"s{n}", site) for n in range(3) for site in "AB"])
    assert len(folds_of(few)) == 3 and "asks for 5 folds, and 3 were made of 3 subjects" in why_fewer(few)


def test_images_of_unknown_site_are_judged_and_not_trained_on() -> None:
    one = job([*TRAVELLERS, ("s9", "")], cv=2)
    assert fold_of(one, "i12") and all(12 not in train for train, _ in folds_of(one).values())


def test_the_lists_split_decides() -> None:
    one = job(TRAVELLERS, split=["train"] * 8 + ["test"] * 4)
    assert list(folds_of(one)) == ["split"] and fold_of(one, "i0") == "" and fold_of(one, "i9") == "split"


@pytest.mark.parametrize(
    ("rows", "split", "reason"),
    [
        ([("a", "A"), ("b", "A")], None, "names only 'A' in its column `site`"),
        ([("a", ""), ("b", "")], None, "names none in its column `site`"),
        ([("a", "A"), ("b", "A"), ("c", "B")], None, "no folds can be made.*A 2, B 1"),
        (TRAVELLERS, ["train", "test"] * 6, "6 subjects are on both sides"),
        ([("a", "A"), ("b", "A"), ("c", "B")], ["train", "train", "test"], "no volumes of B to train on"),
    ],
)
def test_what_cannot_be_judged_is_refused(rows: Any, split: Any, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        check_sites(job(rows, split=split))


def test_shuffled_networks_learn_other_sites_of_the_same_counts() -> None:
    one = job([(f"s{n}", "AB"[n % 2]) for n in range(12)], cv=2)
    true = sites_of(one, "fold-1")
    first, second = sites_of(one, "shuffled-1"), sites_of(one, "shuffled-2")
    assert np.bincount(first).tolist() == np.bincount(true).tolist()
    assert not np.array_equal(first, true) and not np.array_equal(first, second)
