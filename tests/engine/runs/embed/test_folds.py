"""What networks for whole volumes are trained on is checked before any work, and refused with what is lacking."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.images.modality import VOLUMES
from tile_engine.engine.runs.embed.folds import check_what_is_known, folds_of
from tile_engine.engine.runs.embed.settings import EmbedSettings
from tile_engine.errors import SettingsError


def job(labels: str, sites: str, split: str = "", **settings: Any) -> Any:
    """A run of volumes with these labels, sites and sides of the split, a letter each; "-" where the list states none."""

    def word(letter: str) -> str:
        return {"-": "", "t": "train", "j": "test"}.get(letter, letter)

    slides = {
        f"v{n}": SimpleNamespace(
            id=f"v{n}",
            subject=f"s{n}",
            site=word(site),
            columns={"label": word(label), "split": word(side)},
            rows=(),
        )
        for n, (label, site, side) in enumerate(zip(labels, sites, split or "-" * len(sites), strict=True))
    }
    return SimpleNamespace(slides=slides, settings=EmbedSettings(**settings), modality=VOLUMES)


def test_a_split_whose_learned_side_suffices_is_one_fold() -> None:
    one = job("abab", "AABB", "ttjj", adversary=0.1, objective="reconstruction")
    with pytest.raises(SettingsError, match=r"--adversary needs .* `train` of the column `split` have fewer than two"):
        check_what_is_known(one)
    one = job("abab", "ABAB", "ttjj", adversary=0.1)
    check_what_is_known(one)
    assert list(folds_of(one)) == ["all", "split"]


@pytest.mark.parametrize("labels", ["--ab", "aaab"])
def test_a_split_that_learns_from_one_class_is_refused_before_any_work(labels: str) -> None:
    with pytest.raises(SettingsError, match=r"'prototypes' needs .* `train` of the column `split` have fewer than two"):
        check_what_is_known(job(labels, "AABB", "ttjj"))


def test_what_is_lacking_is_named() -> None:
    with pytest.raises(SettingsError, match=r"--adversary needs known sites.*these volumes have fewer than two"):
        check_what_is_known(job("----", "AAAA", adversary=0.1))
    with pytest.raises(SettingsError, match=r"'contrastive' needs known classes.*these volumes have fewer than two"):
        check_what_is_known(job("aaaa", "ABAB", objective="contrastive", adversary=0.1))
