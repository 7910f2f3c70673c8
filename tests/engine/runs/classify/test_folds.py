"""Films are divided without a shared subject, as the list states or in folds, and what cannot be divided is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tile_engine.engine.pipeline.record import digest
from tile_engine.engine.runs.classify.cohort import FilmCohort, cohort_from
from tile_engine.engine.runs.classify.folds import divided, folds_of, learned_by, store_division
from tile_engine.engine.runs.classify.settings import ClassifySettings
from tile_engine.engine.steps.films.index import TEXTS, FilmIndex
from tile_engine.engine.steps.split_column import NONE, TEST, TRAIN, VALIDATION
from tile_engine.errors import SettingsError
from tile_engine.stores.folder import Folder


def cohort(pretraining: list[bool] | None = None, **columns: list[str]) -> FilmCohort:
    count = len(next(iter(columns.values())))
    texts = {name: np.full(count, "", object) for name in TEXTS}
    texts["subject"] = np.array([f"s{i}" for i in range(count)], object)
    texts |= {name: np.array(values, object) for name, values in columns.items()}
    rows = np.zeros(count, bool) if pretraining is None else np.array(pretraining)
    return cohort_from(FilmIndex(texts, {"mean_intensity": np.zeros(count)}), rows, "normal")


def two(count: int) -> list[str]:
    return [("normal", "opacity")[i // 2 % 2] for i in range(count)]


def test_every_film_is_judged_once_a_repeat_by_a_network_that_saw_no_film_of_its_subject() -> None:
    subjects = [f"s{i // 2}" for i in range(80)]
    films = cohort(label=two(80), subject=subjects)
    division = divided(films, ClassifySettings(cv=4, repeats=2))
    assert len(division.parts) == 2 * 4 + 1
    names = np.array(subjects)
    for name, part in division.parts.items():
        of = {value: set(names[part == value]) for value in (TRAIN, VALIDATION, TEST)}
        assert not of[TRAIN] & of[TEST] and not of[VALIDATION] & of[TEST] and not of[TRAIN] & of[VALIDATION]
        assert set(films.labels[part == VALIDATION]) == {0, 1}, name
    for repeat in (1, 2):
        folds = [part for name, part in division.parts.items() if name.startswith(f"repeat-{repeat}-")]
        assert (np.sum([part == TEST for part in folds], 0) == 1).all()
    assert not (division.parts["final"] == TEST).any() and (division.parts["final"] != NONE).all()


def test_a_column_split_decides_and_one_network_is_trained_and_judged() -> None:
    split = ["train"] * 20 + ["test"] * 8 + ["Validation"] * 4 + [""] * 2
    division = divided(cohort(label=two(34), split=split), ClassifySettings())
    (part,) = division.parts.values()
    assert part.tolist() == [TRAIN] * 20 + [TEST] * 8 + [VALIDATION] * 4 + [NONE] * 2
    assert division.stated and "2 films are on neither side" in division.notes[0]


def test_a_split_that_shares_subjects_is_refused() -> None:
    subjects = [f"s{i}" for i in range(20)] + ["s0", "t1", "t2", "t3"]
    with pytest.raises(SettingsError, match="1 subjects are on both sides of the column `split`, as s0"):
        divided(cohort(label=two(24), subject=subjects, split=["train"] * 20 + ["test"] * 4), ClassifySettings())


def test_films_without_a_label_are_judged_by_networks_that_did_not_see_their_subject() -> None:
    films = cohort(label=[*two(40), "", ""], subject=[*(f"s{i}" for i in range(40)), "s0", "new"])
    division = divided(films, ClassifySettings(cv=4))
    folds = [part for name, part in division.parts.items() if name != "final"]
    assert [int(sum(part[row] == TEST for part in folds)) for row in (0, 40, 41)] == [1, 1, 4]
    assert "2 films have no label" in division.notes[0]


def test_films_of_the_other_task_are_in_no_part() -> None:
    films = cohort([False] * 40 + [True] * 4, label=[*two(40), "up", "down", "up", "down"])
    assert films.classes == ("normal", "opacity")
    assert all((part[40:] == NONE).all() for part in divided(films, ClassifySettings()).parts.values())


def test_networks_of_one_site_are_trained_there_alone_and_judge_every_site() -> None:
    sites = ["A"] * 24 + ["B"] * 24 + ["C"] * 4
    division = divided(cohort(label=two(52), site=sites), ClassifySettings(cv=3, site_matrix=True))
    names = np.array(sites)
    own = {name: part for name, part in division.parts.items() if name.startswith("site-")}
    assert len(own) == 6 and set(division.sites.values()) == {"A", "B"}
    for name, part in own.items():
        assert set(names[np.isin(part, (TRAIN, VALIDATION))]) == {division.sites[name]}
        assert set(names[part == TEST]) == {"A", "B"}
    assert any("not in the matrix of sites: C" in note for note in division.notes)


def test_too_few_labels_or_subjects_are_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="only 'normal' as labels"):
        divided(cohort(label=["normal"] * 20), ClassifySettings())
    with pytest.raises(SettingsError, match="'opacity' has 4 subjects in 4 films, and 5 are needed"):
        divided(cohort(label=["normal"] * 20 + ["opacity"] * 4), ClassifySettings())


def test_subjects_with_films_of_both_labels_are_divided_too() -> None:
    films = cohort(label=["normal", "opacity"] * 12, subject=[f"s{i // 2}" for i in range(24)])
    division = divided(films, ClassifySettings(cv=3))
    for name, part in division.parts.items():
        assert {(films.labels[part == value] == 1).mean() for value in (TRAIN, VALIDATION)} == {0.5}, name


def test_settings_that_cannot_work_are_refused() -> None:
    assert ClassifySettings(network="kurotaki2017").side == 100 and ClassifySettings(network="vgg16").side == 224
    assert ClassifySettings(effort=4).division["repeats"] == 3
    with pytest.raises(ValueError, match="sees films of 100 pixels"):
        ClassifySettings(network="kurotaki2017", side=96)
    with pytest.raises(ValueError, match="batch statistics"):
        ClassifySettings(gang=2)


def test_films_of_another_task_are_counted_as_they_are_learned(tmp_path: Path) -> None:
    """Without those of subjects of this task, and without those that have no label."""
    films = cohort(
        pretraining=[False] * 40 + [True] * 4,
        label=[*two(40), "up", "down", "up", ""],
        subject=[*(f"s{i}" for i in range(40)), "o1", "o2", "s3", "o4"],
    )
    division = divided(films, ClassifySettings())
    store_division(SimpleNamespace(folder=Folder(tmp_path, "films")), films, division)
    assert folds_of(Folder(tmp_path, "films")).pretraining == {"down": 1, "up": 1}
    assert {digest("o1"), digest("o2")} < set(learned_by(films, division)) and digest("o4") not in learned_by(
        films, division
    )
