"""The space of principal components, against scikit-learn's."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from tile_engine.models.clustering.components import PrincipalSpace


def embeddings() -> np.ndarray:
    draw = np.random.default_rng(0)
    return (draw.normal(size=(300, 3)) * (9, 3, 1)) @ draw.normal(size=(3, 12)) + draw.normal(5, 0.01, (300, 12))


def test_coordinates_are_the_principal_components_of_standardised_embeddings() -> None:
    points = embeddings()
    space = PrincipalSpace.of(points)
    standard = (points - points.mean(0)) / points.std(0)
    theirs = PCA(svd_solver="full").fit(standard)
    count = int(np.searchsorted(theirs.explained_variance_ratio_.cumsum(), 0.95)) + 1
    assert space.directions.shape == (12, count) and count < 12
    np.testing.assert_allclose(
        np.abs(space.coordinates(points)), np.abs(theirs.transform(standard)[:, :count]), atol=1e-8
    )
    largest = np.abs(space.directions).argmax(0)
    assert (space.directions[largest, np.arange(count)] > 0).all(), "the sign is fixed"


def test_nearest_places_are_the_same_among_standardised_embeddings() -> None:
    points = embeddings()
    space = PrincipalSpace.of(points)
    places = space.coordinates(points[:6])
    standard = (points - space.mean) / space.scale
    there = np.square(standard[:, None] - space.standardised(places)).sum(-1).argmin(1)
    here = np.square(space.coordinates(points)[:, None] - places).sum(-1).argmin(1)
    assert (there == here).all()


def test_features_without_variance_and_the_limit_of_components() -> None:
    points = np.random.default_rng(0).normal(size=(200, 40))
    assert PrincipalSpace.of(points).directions.shape == (40, 24)
    constant = PrincipalSpace.of(np.ones((5, 3)))
    assert constant.directions.shape == (3, 1) and not constant.coordinates(np.ones((5, 3))).any()
