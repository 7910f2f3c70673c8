"""run anomaly on drawn films: opacities are found, subjects are kept apart, and what grey values alone find is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine import open_run
from tile_engine.engine.api.running import run
from tile_engine.engine.runs.anomaly.films import FILMS
from tile_engine.engine.runs.anomaly.medium import NONE, TEST, TRAIN, Rows
from tile_engine.engine.runs.anomaly.settings import AnomalySettings, SlideAnomalySettings
from tile_engine.engine.runs.anomaly.slides import SLIDES
from tile_engine.engine.runs.anomaly.split import divided
from tile_engine.engine.steps.films.index import TEXTS
from tile_engine.errors import SettingsError


def rows_of(**columns: list[str]) -> Rows:
    count = len(next(iter(columns.values())))
    texts = {name: np.full(count, "", object) for name in TEXTS}
    texts["name"] = np.array([f"film{i}" for i in range(count)], object)
    texts["subject"] = texts["name"].copy()
    return Rows(texts | {name: np.array(values, object) for name, values in columns.items()}, {})


def test_normal_films_are_trained_on_and_no_subject_is_on_both_sides() -> None:
    subjects = [f"s{i // 2}" for i in range(60)]
    labels = ["normal"] * 60
    for row in (10, 20, 21):  # s5 has a film of each kind, s10 two abnormal ones
        labels[row] = "opacity"
    division = divided(rows_of(label=labels, subject=subjects), AnomalySettings(), FILMS)
    trained, judged = (np.flatnonzero(division.part == part) for part in (TRAIN, TEST))
    assert not {subjects[r] for r in trained} & {subjects[r] for r in judged}
    assert {10, 11, 20, 21} <= set(judged) and all(labels[r] == "normal" for r in trained)
    held = {subjects[r] for r in judged} - {"s5", "s10"}
    assert abs(len(held) - 0.3 * 29) <= 1 or abs(len(held) - 0.3 * 28) <= 2


def test_a_column_split_decides_and_shared_subjects_are_said() -> None:
    split = ["train"] * 10 + ["test"] * 5 + ["odd"]
    subjects = [f"s{i}" for i in range(10)] + ["s0"] + [f"t{i}" for i in range(5)]
    division = divided(rows_of(label=["Normal"] * 16, split=split, subject=subjects), AnomalySettings(), FILMS)
    assert (division.part == [TRAIN] * 10 + [NONE] + [TEST] * 5).all()  # s0 is trained on: its other film is not judged
    assert any("1 films are of subjects who are trained on" in note for note in division.notes)
    assert any("the column `split` says odd, which names no part" in note for note in division.notes)


def test_test_rows_of_a_split_are_never_trained_on() -> None:
    split = ["test"] * 20 + [""] * 20
    division = divided(rows_of(label=["normal"] * 40, split=split), AnomalySettings(), FILMS)
    assert (division.part[:20] == TEST).all() and (division.part[20:] == TRAIN).sum() == 14


def test_what_does_not_fit_into_memory_is_of_no_part() -> None:
    from dataclasses import replace

    small = replace(FILMS, most=lambda settings: 10)
    subjects = [f"s{i // 4}" for i in range(80)]
    division = divided(rows_of(label=["normal"] * 80, subject=subjects), AnomalySettings(), small)
    trained, judged = (np.flatnonzero(division.part == part) for part in (TRAIN, TEST))
    assert len(trained) == 10 and not {subjects[r] for r in trained} & {subjects[r] for r in judged}
    assert "10 of 56 normal films are trained on" in division.notes[0]


def test_follow_ups_without_a_label_do_not_hold_their_subject_out() -> None:
    labels, subjects = ["normal", ""] * 20, [f"s{i // 2}" for i in range(40)]
    division = divided(rows_of(label=labels, subject=subjects), AnomalySettings(), FILMS)
    assert (division.part == TRAIN).sum() == 14 and (division.part == NONE).sum() == 14


def test_without_labels_all_films_count_as_normal_and_it_is_said() -> None:
    division = divided(rows_of(label=[""] * 20), AnomalySettings(), FILMS)
    assert (division.part == TRAIN).sum() == 14 and "no film has a label" in division.notes[0]


def test_slides_without_labels_are_all_learned_and_it_is_said() -> None:
    division = divided(rows_of(label=[""] * 5), SlideAnomalySettings(), SLIDES)
    assert (division.part == TRAIN).all() and "what is unlike most is rare" in division.notes[0]


def test_subjects_of_labelled_slides_are_held_out() -> None:
    labels = ["normal"] * 6 + ["tumour"] * 2
    part = divided(rows_of(label=labels), SlideAnomalySettings(), SLIDES).part
    assert (part[:6] == TRAIN).sum() == 4 and (part[6:] == TEST).all()
    with pytest.raises(SettingsError, match="0 slides are left to train on"):
        divided(rows_of(label=["tumour"] * 3), SlideAnomalySettings(), SLIDES)


def test_films_that_are_left_out_are_in_no_part_and_too_few_are_refused() -> None:
    reasons = ["unreadable"] + [""] * 19
    assert divided(rows_of(label=["normal"] * 20, reason=reasons), AnomalySettings(), FILMS).part[0] == NONE
    with pytest.raises(SettingsError, match="0 films are left to train on"):
        divided(rows_of(label=["healthy"] * 20), AnomalySettings(), FILMS)


def test_the_source_network_has_its_side() -> None:
    assert AnomalySettings(network="kurotaki2017").vae == {"latent": 256, "likelihood": "bernoulli", "hidden": 256}
    with pytest.raises(ValueError, match="sees films of 100 pixels"):
        AnomalySettings(network="kurotaki2017", side=64)


def test_a_finished_run_states_scores_figures_and_maps(finished: Callable[[str, str], Any]) -> None:
    run = open_run(finished("anomaly", "films").out)
    table, store, figures = run.table("films"), run.films, run.evaluation
    assert table.n_obs == 262 and list(table.var_names)[1] == figures["shown"] == "pasted_neighbours"
    assert np.isfinite(table.X).all()
    assert set(table.obs["part"]) == {"train", "test"}
    trained = table.obs["part"] == "train"
    assert not set(table.obs["subject"][trained]) & set(table.obs["subject"][~trained])
    assert (table.obs["label"][trained] == "normal").all() and figures["trained"] == trained.sum()
    error = store["error"].values.astype(float).mean((1, 2))
    assert np.allclose(error, table.to_df()["reconstruction"], rtol=5e-2)
    one = figures["scores"]["pasted_neighbours"]["detected"]
    assert one["low"] <= one["auroc"] <= one["high"]
    assert set(figures["properties"]) >= {"mean_intensity", "pixel_entropy", "packed_bytes"}
    page = (run.out / "report.html").read_text()
    assert "opacity" in page and "Does a score follow grey values alone?" in page


def test_too_few_images_to_train_on_are_refused_before_any_is_read(cohorts: dict[str, Path], tmp_path: Path) -> None:
    for images in ("films", "volumes"):
        with pytest.raises(SettingsError, match="left to train on") as caught:
            run("anomaly", {images: cohorts[images]}, tmp_path / images, settings={"normal": "no such label"})
        assert caught.value.code == "E_NO_TRAINING" and not (tmp_path / images / f"{images}.zarr").exists()
        assert not (tmp_path / images / images).exists()
