"""Heads of centres: probabilities, the nearest centre, and fine clusters within the cluster of a tile."""

from __future__ import annotations

import pytest
import torch

from tile_engine.models.networks.autoencoder import Autoencoder
from tile_engine.models.networks.centre_head import CentreHead, FineClusters
from tile_engine.models.networks.cluster_heads import ClusterHead
from tile_engine.models.networks.clusterer import Clusterer, head_of

PARENTS = torch.tensor([0, 2, 0, 1, 2])


@pytest.fixture
def head() -> CentreHead:
    source = torch.Generator().manual_seed(0)
    made = CentreHead(embedding_size=4, centres=5, clusters=3)
    made.fine.set_centres(torch.arange(4.0), torch.tensor([1.0, 2, 3, 4]), torch.randn(5, 4, generator=source), PARENTS)
    return made


def embeddings(count: int = 200) -> torch.Tensor:
    return torch.arange(4.0) + torch.tensor([1.0, 2, 3, 4]) * torch.randn(
        count, 4, generator=torch.Generator().manual_seed(1)
    )


def nearest(fine: FineClusters, points_BF: torch.Tensor) -> torch.Tensor:
    return torch.cdist((points_BF - fine.mean_F) / fine.scale_F, fine.centres_JF).argmin(1)


@pytest.mark.parametrize("width", [1e-3, 0.3, 1.0, 50.0])
def test_probabilities_sum_to_one(head: CentreHead, width: float) -> None:
    head.width.fill_(width)
    p_BK = head(embeddings())
    assert p_BK.shape == (200, 3) and (p_BK >= 0).all() and torch.isfinite(p_BK).all()
    torch.testing.assert_close(p_BK.sum(1), torch.ones(200))


def test_the_likeliest_cluster_is_that_of_the_nearest_centre_where_the_width_is_small(head: CentreHead) -> None:
    head.width.fill_(0.02)
    assert (head(embeddings()).argmax(1) == PARENTS[nearest(head.fine, embeddings())]).all()


def test_a_cluster_has_the_probability_of_all_its_centres(head: CentreHead) -> None:
    points = (embeddings() - head.fine.mean_F) / head.fine.scale_F
    p_BJ = (-torch.cdist(points, head.fine.centres_JF).square() / 2).softmax(1)
    by_hand = torch.stack([p_BJ[:, k == PARENTS].sum(1) for k in range(3)], 1)
    torch.testing.assert_close(head(embeddings()), by_hand)


def test_fine_clusters_are_the_nearest_centres_of_the_cluster_that_was_found(head: CentreHead) -> None:
    clusters = torch.arange(200) % 3
    fine = head.fine(embeddings(), clusters)
    assert (PARENTS[fine] == clusters).all()
    own = PARENTS[nearest(head.fine, embeddings())] == clusters
    assert own.any() and (fine == nearest(head.fine, embeddings()))[own].all()


@pytest.mark.parametrize("kind", ["centres", "network"])
@pytest.mark.parametrize("divided", [True, False])
def test_a_clusterer_is_rebuilt_from_its_recipe_and_weights(kind: str, divided: bool, head: CentreHead) -> None:
    autoencoder = Autoencoder(embedding_size=4, patch=32)
    made = Clusterer(autoencoder, head if kind == "centres" else ClusterHead(4, 3), head.fine if divided else None)
    assert made.fine_clusters == (5 if divided else 3)
    again = Clusterer.from_recipe(made.recipe())
    again.load_state_dict(made.state_dict())
    clusters, points = torch.arange(200) % 3, embeddings()
    assert (again.divide(clusters, points) == made.divide(clusters, points)).all()
    torch.testing.assert_close(again.head(points), made.head(points))
    assert type(head_of(made.head.recipe())) is type(made.head)
