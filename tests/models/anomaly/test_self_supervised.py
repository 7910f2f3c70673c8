"""Embeddings of films: any side fits, an embedding depends on its film alone, and odd films lie far from the others."""

from __future__ import annotations

import numpy as np

from tile_engine.models.anomaly.nearest import Reference
from tile_engine.models.anomaly.self_supervised import Resized, film_autoencoder, film_embeddings, film_reconstruction
from tile_engine.models.training.phases import train_phase


def ramps(count: int, seed: int = 0) -> np.ndarray:
    """Ramps of varied height in noise, uint8 (N, 1, 36, 36)."""
    draw = np.random.default_rng(seed)
    height = draw.uniform(0.3, 0.5, (count, 1, 1, 1))
    films = 0.2 + height * np.linspace(0, 1, 36) + draw.normal(0, 0.02, (count, 1, 36, 36))
    return (films.clip(0, 1) * 255).astype(np.uint8)


def test_resizing_keeps_means_and_leaves_films_of_the_side_alone() -> None:
    films, rows = ramps(3), np.array([0, 2])
    assert np.allclose(Resized(films, 32)[rows].mean((1, 2, 3)), films[rows].mean((1, 2, 3)) / 255, atol=5e-3)
    assert np.array_equal(Resized(films, 36)[rows], (films[rows] / np.float32(255)).astype(np.float32))


def test_odd_films_lie_far_and_an_embedding_depends_on_its_film_alone() -> None:
    network = film_autoencoder(36, seed=1)
    assert (network.patch, network.channels) == (32, 1)
    phase = film_reconstruction(network, ramps(40), steps=4)
    train_phase(phase)
    odd = ramps(6, 3)
    odd[:, :, ::2] = 255 - odd[:, :, ::2]
    test = np.concatenate([ramps(6, 2), odd])
    embeddings = film_embeddings(network, test)
    assert np.array_equal(film_embeddings(network, test[[9, 2]]), embeddings[[9, 2]])
    distances = Reference.of(film_embeddings(network, ramps(40))).distances(embeddings)
    assert distances[6:].min() > distances[:6].max()
