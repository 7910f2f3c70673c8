"""Classification: it learns, resumes with the same bits, and its last layer is a linear discriminant."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.covariance import ledoit_wolf

from tile_engine.errors import SettingsError
from tile_engine.models.networks.classifier import Classifier
from tile_engine.models.training.classification import (
    Classification,
    ClassificationPlan,
    box_for,
    features_of,
    fit_head,
    probabilities_of,
    train_classifier,
)

PLAN = ClassificationPlan(steps=4, batch=4, cut=(8, 8, 8))


def textures(count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Balls of noise; the noise of class 1 is twice as strong, and its mean is the same."""
    draw, labels = np.random.default_rng(0), np.arange(count) % 2
    noise = draw.normal(0, 1, (count, 1, 16, 18, 16)) * np.where(labels, 0.2, 0.1)[:, None, None, None, None]
    return (0.5 + noise).clip(0.01, 1).astype(np.float32), labels


def test_a_training_resumes_with_the_same_bits() -> None:
    torch.set_num_threads(1)
    images, labels = textures()
    whole = Classification(Classifier(2, widths=(4, 4)), images, labels, PLAN)
    for index in range(4):
        whole.step(index)
    first = Classification(Classifier(2, widths=(4, 4)), images, labels, PLAN)
    first.step(0), first.step(1)
    second = Classification(Classifier(2, widths=(4, 4)), images, labels, PLAN)
    second.load(first.state())
    second.step(2), second.step(3)
    assert all(torch.equal(tensor, second.state()[name]) for name, tensor in whole.state().items())


def test_a_texture_of_equal_mean_is_told_apart_on_images_that_were_not_seen() -> None:
    images, labels = textures(24)
    network = Classifier(2, widths=(4, 8), pool=2, masked=True)
    train_classifier(network, images[:16], labels[:16], ClassificationPlan(steps=20, batch=8, cut=(12, 12, 12)))
    assert (probabilities_of(network, features_of(network, images[16:])).argmax(1) == labels[16:]).all()


def test_the_last_layer_is_nearest_mean_by_mahalanobis() -> None:
    draw = np.random.default_rng(1)
    labels = np.repeat(np.arange(3), 20)
    features = (draw.normal(size=(60, 4)) + labels[:, None]) * [1, 5, 0.1, 2]
    network = Classifier(3, axes=2, widths=(4, 4))
    fit_head(network, features, labels)
    means = np.stack([features[labels == k].mean(0) for k in range(3)])
    scale = features.std(0)
    covariance = ledoit_wolf((features - means[labels]) / scale, assume_centered=True)[0] * np.outer(scale, scale)
    away = features[:, None] - means
    distances = np.einsum("nkf,fg,nkg->nk", away, np.linalg.inv(covariance), away)
    assert np.allclose(probabilities_of(network, features), softmax(-distances / 2, 1), atol=1e-3)


def test_a_class_without_images_is_never_named() -> None:
    network, features = Classifier(3, axes=2, widths=(4, 4)), np.random.default_rng(0).normal(size=(20, 4))
    fit_head(network, features, np.arange(20) % 2 * 2)
    assert probabilities_of(network, features)[:, 1].max() < 1e-6


def test_features_do_not_depend_on_the_other_images() -> None:
    images, _ = textures(5)
    network = Classifier(2, widths=(4, 4))
    assert np.array_equal(features_of(network, images, 4)[4], features_of(network, images[4:], 4)[0])


@pytest.mark.parametrize("labels", [[0] * 12, [0, 1], [-1, 1] * 6, [0, 5] * 6])
def test_labels_that_cannot_be_learned_are_refused(labels: list[int]) -> None:
    with pytest.raises(SettingsError, match="classifier is trained on"):
        Classification(Classifier(2, widths=(4, 4)), textures()[0], np.array(labels), PLAN)


def test_a_box_is_no_larger_than_the_image() -> None:
    assert box_for((20, 64, 30), 32) == (20, 32, 30)
