"""Each sampled patch is embedded once, and in several views only where the objective learns from them."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
import torch

from tile_engine.engine.runs.cluster import ahead
from tile_engine.engine.runs.cluster.heads import CODES_BATCH
from tile_engine.engine.runs.cluster.number import embeddings_of
from tile_engine.engine.runs.cluster.settings import LEARNED, ClusterSettings
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.autoencoder import all_patches
from tile_engine.engine.steps.checkpoints import load_network, stated_weights
from tile_engine.models.networks.autoencoder import Autoencoder
from tile_engine.models.networks.cluster_heads import ClusterHead
from tile_engine.models.networks.clusterer import Clusterer
from tile_engine.models.training.clustering import CLASSICAL, OBJECTIVES
from tile_engine.models.training.encoding import encode_views
from tile_engine.models.training.finetune import quality_of, quality_of_embeddings
from tile_engine.stores.array import StoredArray


def test_the_objectives_that_learn_are_all_but_the_classical_ones() -> None:
    assert set(LEARNED) == OBJECTIVES.keys() - set(CLASSICAL)
    assert ClusterSettings().deciding(("several_views",)) == {}, "a run of an earlier version has them all, and is kept"
    assert ClusterSettings(objective="scan").deciding(("several_views",)) == {"several_views": True}


def test_a_classical_objective_embeds_each_patch_once_and_as_the_final_network_does(
    finished: Callable[[str, str], Any],
) -> None:
    job = load(finished("cluster", "slides").out)
    assert not job.settings.several_views
    count, views = len(all_patches(job)), StoredArray.open(job.folder.samples / "codes").spec.shape[0]
    assert (views, len(embeddings_of(job))) == (1, count)
    path = job.folder.model("clusterer")
    network, _ = load_network(path, stated_weights(path.with_suffix(".json")))
    torch.set_num_threads(job.settings.threads)
    again = encode_views(network, all_patches(job), views=1, batch=CODES_BATCH)[0].numpy()
    np.testing.assert_array_equal(again, embeddings_of(job))


def test_the_quality_of_a_clustering_is_that_of_the_embeddings_of_its_patches() -> None:
    patches = np.random.default_rng(0).integers(0, 255, (300, 3, 32, 32), np.uint8)
    clusterer = Clusterer(Autoencoder(patch=32, widths=(8, 16), embedding_size=8), ClusterHead(8, 4)).eval()
    found = quality_of_embeddings(clusterer, encode_views(clusterer.autoencoder, patches, views=1)[0], most=100)
    assert astuple(found) == pytest.approx(astuple(quality_of(clusterer, patches, most=100)), rel=1e-5)


def test_what_later_steps_need_is_imported_meanwhile(
    finished: Callable[[str, str], Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ahead, "MODULES", ("no_such_module", "....models.evaluation.projection", "colorsys"))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    ahead.import_ahead(load(finished("cluster", "slides").out))
    for thread in threading.enumerate():
        if thread.name == "import-ahead":
            assert not thread.daemon
            thread.join(60)
    assert "colorsys" in sys.modules, "what cannot be imported is left to its step, which says so"
    assert not capfd.readouterr().err


def test_all_modules_that_are_imported_ahead_are_modules() -> None:
    for name in set(ahead.MODULES) - {"igraph"}:  # it may not be installed
        assert importlib.util.find_spec(name, ahead.__package__) is not None
    assert ahead.UMAP_MODULE in ahead.MODULES
    assert {"umap", "anndata", "matplotlib.figure"} <= sys.modules.keys()
