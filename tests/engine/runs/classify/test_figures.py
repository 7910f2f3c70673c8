"""Figures are means over repeats, what is named follows the threshold, and cautions say what the figures may rest on."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from tile_engine.engine.runs.classify.cautions import cautions_of
from tile_engine.engine.runs.classify.documents import Confound, Evaluation, Interval, Method, SiteFigures
from tile_engine.engine.runs.classify.figures import repeated_figures
from tile_engine.engine.runs.classify.probabilities import Judgement


def test_figures_are_means_over_repeats_of_those_of_scikit_learn() -> None:
    draw = np.random.default_rng(0)
    labels, scores = np.arange(60) % 2, draw.random((2, 60))
    probabilities = np.stack([1 - scores, scores], 2)
    named = (scores >= 0.4).astype(int)
    figures = repeated_figures(labels, probabilities, named, np.arange(60) // 2, seed=0)
    assert figures["auroc"].value == pytest.approx(np.mean([roc_auc_score(labels, s) for s in scores]))
    assert figures["balanced_accuracy"].value == pytest.approx(
        np.mean([balanced_accuracy_score(labels, n) for n in named])
    )
    assert figures["accuracy"].low < figures["accuracy"].value < figures["accuracy"].high


def test_of_three_classes_the_area_is_the_mean_of_one_against_the_others() -> None:
    draw = np.random.default_rng(1)
    labels, scores = np.arange(90) % 3, draw.dirichlet(np.ones(3), 90)
    figures = repeated_figures(labels, scores[None], scores.argmax(1)[None], np.arange(90), seed=0)
    assert figures["auroc"].value == pytest.approx(roc_auc_score(labels, scores, multi_class="ovr", average="macro"))
    assert "sensitivity" not in figures


def test_of_two_classes_the_threshold_decides_and_unjudged_films_are_not_named() -> None:
    probability = np.array([[[0.7, 0.3], [0.7, 0.3], [np.nan, np.nan]]], np.float32)
    judgement = Judgement(probability, np.array([[0.2, 0.5, np.nan]], np.float32))
    assert judgement.named().tolist() == judgement.named(0).tolist() == [1, 0, -1]
    assert judgement.judged.tolist() == [True, True, False]


def document(**changes: object) -> Evaluation:
    figure = Interval(value=0.8, low=0.7, high=0.9)
    values: dict[str, object] = {
        "classes": ("normal", "ill"),
        "films": {"normal": 100, "ill": 50},
        "subjects": 150,
        "network": {"auroc": figure, "accuracy": figure},
        "stages": {},
        "majority": 0.66,
        "confusion": ((80, 20), (10, 40)),
        "methods": {},
        "comparisons": (),
        "sites": {},
        "site_matrix": (),
        "confound": None,
        "smallest_validation": 40,
        "notes": (),
    }
    return Evaluation.model_validate(values | changes)


def headlines(evaluation: Evaluation) -> str:
    return "\n".join(caution.headline for caution in cautions_of(evaluation))


def test_sound_figures_need_no_caution() -> None:
    assert headlines(document()) == ""


def test_labels_that_go_with_sites_or_files_are_said() -> None:
    figure = Interval(value=0.9, low=0.8, high=1)
    sites = {
        "A": SiteFigures(films={"normal": 100}, accuracy=figure, auroc=None),
        "B": SiteFigures(films={"ill": 50}, accuracy=figure, auroc=None),
    }
    confound = Confound(site_alone=1.0, within_sites=None, pairs_within=0.0, site_named=figure, largest_site=0.66)
    text = headlines(document(sites=sites, confound=confound))
    assert "Each site has one label" in text and "The site alone has an area under the curve of 1.000" in text
    turned = Method(auroc=Interval(value=0.15, low=0.1, high=0.2))
    text = headlines(document(methods={"file_bytes": turned}))
    assert "File bytes alone tells the labels apart as well as the network" in text


def test_few_films_and_no_skill_are_said() -> None:
    chance = Interval(value=0.55, low=0.45, high=0.65)
    text = headlines(
        document(
            films={"normal": 100, "ill": 8},
            confusion=((80, 20), (4, 4)),
            network={"auroc": chance, "accuracy": chance},
            smallest_validation=6,
        )
    )
    assert "Only 8 judged films have the label ill" in text and "smallest validation part has 6 films" in text
    assert "no better than chance" in text and "no more often" in text
