"""Folds of sites: by subject, every site in each training set; what cannot be judged is refused with a reason."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.images.modality import VOLUMES
from tile_engine.engine.runs.sites.folds import (
    _drawn,
    check_sites,
    cohort_of,
    fold_by_image,
    fold_of,
    folds_of,
    why_fewer,
)
from tile_engine.engine.runs.sites.networks import sites_of
from tile_engine.errors import SettingsError


class SomeJob(SimpleNamespace):
    """What folds read of a job; `opened` are the images in use when the networks were trained, `slides` those of now."""

    def slides_before(self, step: str) -> dict[str, Any]:
        assert step == "networks"
        return dict(self.opened)


def job(
    rows: list[tuple[str, str]], *, cv: int = 5, split: list[str] | None = None, rejected: Collection[str] = ()
) -> Any:
    """A run of images with these (subject, site), of which some were rejected after the training."""
    slides = {
        f"i{n}": SimpleNamespace(id=f"i{n}", subject=subject, site=site, columns={"split": split[n]} if split else {})
        for n, (subject, site) in enumerate(rows)
    }
    settings = SimpleNamespace(cv=cv, seed=0, shuffled_networks=2)
    used = {image: record for image, record in slides.items() if image not in rejected}
    return SomeJob(opened=slides, slides=used, settings=settings, modality=VOLUMES)


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


def test_an_image_that_is_rejected_after_the_training_moves_no_fold() -> None:
    people = [(f"s{n}", "AB"[n % 2]) for n in range(12)] + [("t0", "C"), ("t1", "C")]
    one, later = job(people, cv=4), job(people, cv=4, rejected=("i3", "i12"))
    before = fold_by_image(one)
    assert fold_by_image(later) == {image: before[image] for image in later.slides}
    images = np.array(list(later.slides))
    for name, (train, judged) in folds_of(later).items():
        assert set(images[judged]) == {image for image, fold in before.items() if fold == name} - {"i3", "i12"}
        assert not set(train) & set(judged) and len(train) + len(judged) == 12
    everyone = job(people, cv=4, rejected=("i12", "i13"))
    assert cohort_of(everyone).names == ("A", "B", "C") and list(folds_of(everyone)) == list(folds_of(one))
    for name in ("fold-1", "shuffled-1"):
        assert sites_of(later, name).tolist() == np.delete(sites_of(one, name), [3, 12]).tolist()


def test_folds_are_drawn_once_for_all_images() -> None:
    _drawn.cache_clear()
    one = job([(f"s{n}", "AB"[n % 2]) for n in range(20)], cv=2)
    assert len({fold_of(one, image) for image in one.slides}) == 2 and _drawn.cache_info().misses == 1
