"""Detection and tone check: areas against scikit-learn, intervals that keep subjects together, correlations with tone."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from tile_engine.errors import SettingsError
from tile_engine.models.evaluation.detection import detection, differences
from tile_engine.models.evaluation.ranking import auroc, average_precision
from tile_engine.models.evaluation.tone import compressed_bits, tones
from tile_engine.models.evaluation.tone_check import tone_check

DRAW = np.random.default_rng(0)


def test_areas_are_those_of_scikit_learn_with_ties() -> None:
    abnormal, scores = DRAW.random(200) < 0.3, DRAW.normal(size=200).round(1)
    assert auroc(abnormal, scores) == pytest.approx(roc_auc_score(abnormal, scores), abs=1e-12)
    assert average_precision(abnormal, scores) == pytest.approx(average_precision_score(abnormal, scores), abs=1e-12)
    assert np.isnan(auroc(np.ones(3, bool), np.arange(3.0))) and np.isnan(
        average_precision(np.zeros(3, bool), np.arange(3.0))
    )


def test_intervals_hold_the_area_and_widen_with_films_of_one_subject() -> None:
    abnormal = np.arange(120) % 2 == 0
    scores = DRAW.normal(size=120) + abnormal
    apart = detection(abnormal, scores, np.arange(120), draws=300)
    assert apart.auroc_low < apart.auroc < apart.auroc_high and apart.auprc_low < apart.auprc < apart.auprc_high
    assert (apart.normal, apart.abnormal) == (60, 60)
    assert 0.1 < apart.auroc_high - apart.auroc_low < 0.3  # Hanley and McNeil 1982: about 0.18 at an area of 0.76
    copies = np.repeat(np.arange(120), 4)
    together = detection(abnormal[copies], scores[copies], copies, draws=300)
    assert together.auroc == pytest.approx(apart.auroc)
    assert together.auroc_high - together.auroc_low > 0.8 * (apart.auroc_high - apart.auroc_low)
    assert detection(abnormal, scores, np.arange(120), draws=300) == apart


def test_a_difference_of_scores_is_surer_than_their_intervals() -> None:
    abnormal = np.arange(200) % 2 == 0
    base = DRAW.normal(size=200) + abnormal
    better = base + 0.5 * abnormal
    found = differences(abnormal, better, {"base": base, "itself": better}, np.arange(200), draws=200)
    assert found["itself"].difference == found["itself"].low == found["itself"].high == 0.0
    assert found["base"].difference == pytest.approx(auroc(abnormal, better) - auroc(abnormal, base))
    assert 0 < found["base"].low < found["base"].difference < found["base"].high


@pytest.mark.parametrize(
    ("abnormal", "scores", "match"),
    [
        (np.ones(3, bool), np.arange(3.0), "of 3 films 3 are abnormal"),
        (np.array([True, False]), np.array([np.nan, 1]), "1 finite values of 2"),
        (np.array([True, False]), np.arange(3.0), "3 finite values of 3 for 2 films"),
    ],
)
def test_what_has_no_area_is_refused(abnormal: np.ndarray, scores: np.ndarray, match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        detection(abnormal, scores, np.arange(len(abnormal)), draws=2)


def test_tones_are_those_of_a_hand_computation() -> None:
    films = np.array([[[[0, 255], [51, 255]]]], np.uint8)
    values = tones(films)
    assert values["mean_intensity"][0] == pytest.approx((0 + 1 + 0.2 + 1) / 4)
    assert values["pixel_entropy"][0] == pytest.approx(-(0.2 * np.log(0.2) + 0.8 * np.log(0.8)))
    same = tones((films / 255).astype(np.float32))
    assert all(np.allclose(values[name], same[name], rtol=1e-6) for name in values)


def test_compressed_bits_are_those_of_a_png_of_the_same_rows() -> None:
    """A ramp: every row is the one above it, filter 2, but for the first, whose left neighbours are one less: filter 1."""
    films = np.broadcast_to(np.arange(64, dtype=np.uint8), (1, 1, 64, 64))
    first = bytes([1]) + bytes([0] + [1] * 63)
    rest = (bytes([2]) + bytes(64)) * 63
    assert compressed_bits(films)[0] == 8 * len(zlib.compress(first + rest, 9))


def test_a_score_that_is_entropy_is_found_to_be() -> None:
    films = DRAW.integers(0, 256, (40, 1, 8, 8)).astype(np.uint8)
    films[::2] //= 4
    values, noise = tones(films), DRAW.normal(size=40)
    abnormal = np.arange(40) % 2 == 0
    scores = {"bound": values["pixel_entropy"] + 0.01, "noise": noise, "constant": np.zeros(40)}
    check = tone_check(scores, values, abnormal=abnormal, subjects=np.arange(40) // 2)
    assert check.correlations["bound"]["pixel_entropy"] == 1.0
    assert check.correlations["noise"]["mean_intensity"] == pytest.approx(
        spearmanr(noise, values["mean_intensity"]).statistic, abs=1e-9
    )
    assert np.isnan(check.correlations["constant"]["mean_intensity"])
    assert "pixel_entropy" in check.follows["bound"] and check.follows["noise"] == check.follows["constant"] == ()
    assert check.detections["mean_intensity"].auroc < 0.05
    assert not tone_check(scores, values).detections
