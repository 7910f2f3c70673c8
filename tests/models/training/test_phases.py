"""Phases: planted clusters are found, and a stop anywhere changes no bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tile_engine.models.evaluation.metrics import agreement
from tile_engine.models.networks.autoencoder import Autoencoder
from tile_engine.models.networks.cluster_heads import ClusterHead
from tile_engine.models.networks.clusterer import Clusterer
from tile_engine.models.networks.encoders import pretrained_of
from tile_engine.models.networks.nested import NestedAutoencoder
from tile_engine.models.training import checkpoint
from tile_engine.models.training.encoding import encode_views
from tile_engine.models.training.finetune import FineTune
from tile_engine.models.training.phases import DivergedError, Phase, train_phase
from tile_engine.models.training.plateau import Plateau
from tile_engine.models.training.reconstruction import Reconstruction
from tile_engine.models.training.sweep import CLUSTERING_OBJECTIVES, ClusteringObjective, HeadSweep
from tile_engine.stores.files import write_whole


def patches(count: int = 96) -> np.ndarray:
    """Stripes of four widths in noise, uint8 (N, 3, 32, 32)."""
    draw = np.random.default_rng(0)
    period = np.array([3, 5, 9, 16])[np.arange(count) % 4]
    stripes = 0.5 + 0.4 * np.sign(np.sin(2 * np.pi * np.arange(32) / period[:, None]))
    image = np.broadcast_to(stripes[:, None, None, :], (count, 3, 32, 32)) + draw.normal(0, 0.03, (count, 3, 32, 32))
    return (image.clip(0, 1) * 255).astype(np.uint8)


def planted(views: int = 3, count: int = 400, k: int = 4, noise: float = 0.3) -> tuple[torch.Tensor, np.ndarray]:
    draw = torch.Generator().manual_seed(1)
    classes = torch.arange(count) % k
    centres = torch.randn(k, 16, generator=draw) * 2
    own = torch.randn(count, 16, generator=draw) * noise
    codes_VNF = centres[classes] + own + torch.randn(views, count, 16, generator=draw) * noise
    return codes_VNF, classes.numpy()


def reconstruction() -> Phase:
    return Reconstruction(Autoencoder(patch=32, widths=(8, 16), embedding_size=8), patches(), steps=6, batch=16, seed=3)


def stopped_early() -> Phase:
    """Noise cannot be learned, so its loss is soon on a plateau."""
    noise = np.random.default_rng(0).integers(0, 255, (96, 3, 32, 32), np.uint8)
    network = Autoencoder(patch=32, widths=(8, 16), embedding_size=8)
    return Reconstruction(network, noise, steps=200, batch=16, seed=3, early_stop=True)


def in_bf16() -> Phase:
    network = Autoencoder(patch=32, widths=(8, 16), embedding_size=8)
    return Reconstruction(network, patches(), steps=12, batch=16, seed=3, early_stop=True, bf16=True)


def sweep() -> Phase:
    return HeadSweep(planted()[0], (2, 4), (0, 1), "iic", steps=8, batch=64)


def fine_tune() -> Phase:
    clusterer = Clusterer(Autoencoder(patch=32, widths=(8, 16), embedding_size=8), ClusterHead(8, 4))
    return FineTune(clusterer, patches(), steps=4, objective="imsat", seed=1)


def fine_tune_of_two_sizes() -> Phase:
    draw = np.random.default_rng(0)
    nested = NestedAutoencoder([Autoencoder(patch=side, widths=(8,), embedding_size=8) for side in (32, 64)])
    large = (draw.random((64, 3, 64, 64)) * 255).astype(np.uint8)
    return FineTune(Clusterer(nested, ClusterHead(16, 4)), large, steps=4, objective="imsat", seed=1)


@pytest.mark.parametrize("make", [reconstruction, stopped_early, in_bf16, sweep, fine_tune, fine_tune_of_two_sizes])
def test_a_phase_stopped_and_loaded_into_a_new_one_ends_with_the_same_bits(
    make: Callable[[], Phase], tmp_path: Path
) -> None:
    undisturbed = make()
    train_phase(undisturbed)
    first, second = make(), make()
    stop = first.steps // 2
    for index in range(stop):
        first.step(index)
    checkpoint.save_checkpoint(tmp_path / "state.safetensors", first.state(), {"step": stop}, write_whole)
    tensors, recipe = checkpoint.load_checkpoint(tmp_path / "state.safetensors")
    second.step(0)  # whatever it was before, it goes on from the checkpoint
    second.load(tensors)
    train_phase(second, start=recipe["step"])
    wanted, found = undisturbed.state(), second.state()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[key], found[key]) for key in wanted)
    assert any(not torch.equal(wanted[key], value) for key, value in make().state().items())


def test_bf16_trains_float32_weights_to_nearly_the_same_loss() -> None:
    def last(bf16: bool) -> tuple[Autoencoder, float]:
        network = Autoencoder(patch=32, widths=(8, 16), embedding_size=8)
        phase = Reconstruction(network, patches(), steps=20, batch=16, seed=3, bf16=bf16)
        return network, [phase.step(index)["loss"] for index in range(20)][-1]

    (exact, loss), (rounded, close) = last(False), last(True)
    assert close != loss and close == pytest.approx(loss, rel=0.05)
    assert {tensor.dtype for tensor in rounded.state_dict().values()} == {torch.float32}
    seen = torch.rand(2, 3, 32, 32)
    assert rounded.eval().encode(seen).dtype == exact.eval().encode(seen).dtype == torch.float32


@pytest.mark.parametrize("objective", CLUSTERING_OBJECTIVES)
def test_heads_find_planted_clusters(objective: ClusteringObjective) -> None:
    codes_VNF, classes = planted()
    phase = HeadSweep(codes_VNF, (2, 3, 4, 6), (0, 1), objective, steps=120, batch=200)
    train_phase(phase)
    quality = {(q.clusters, q.seed): q for q in phase.qualities()}
    labels = phase.labels()
    best = min((0, 1), key=lambda seed: quality[4, seed].loss)
    assert agreement(classes, labels[4, best]).accuracy > 0.95
    assert not quality[4, best].collapsed and quality[4, best].smallest > 0.15
    extracted = phase.extract(best, 4)(codes_VNF[0]).argmax(1).numpy()
    assert (extracted == labels[4, best]).mean() > 0.99


def test_a_collapsed_head_is_said_and_started_again() -> None:
    phase = HeadSweep(planted()[0], (6,), (0,), "iic", steps=40, batch=200)
    with torch.no_grad():
        phase.bank.bias_SJK[0, 0, 0] = 50.0
    (quality,) = phase.qualities()
    assert quality.collapsed and quality.effective < 1.1 and quality.smallest < 0.01
    for index in range(10, 40):  # step 10 is a check: the head starts again
        phase.step(index)
    (quality,) = phase.qualities()
    assert quality.restarts >= 1
    assert not quality.collapsed


def test_a_head_that_never_decides_counts_as_collapsed() -> None:
    """Even probabilities for every patch have the most effective clusters of all, and say nothing."""
    (quality,) = HeadSweep(torch.zeros(2, 64, 8), (6,), (0,), "imsat", steps=8, batch=32).qualities()
    assert quality.effective == pytest.approx(6.0, abs=0.01)
    assert quality.information == pytest.approx(0.0, abs=0.01)
    assert quality.collapsed


def test_a_loss_that_is_no_number_stops_training_by_name() -> None:
    codes_VNF = torch.zeros(2, 64, 8)
    phase = HeadSweep(codes_VNF, (3,), (0,), "iic", steps=4, batch=32)
    with torch.no_grad():
        phase.bank.trunk_SFH[0, 0, 0] = torch.nan
    with pytest.raises(DivergedError, match="heads: the loss became nan in step 0"):
        train_phase(phase)


def test_a_training_ends_when_the_held_out_loss_no_longer_falls() -> None:
    phase = stopped_early()
    seen: list[dict[str, float]] = []
    train_phase(phase, report=lambda index, figures: seen.append(figures))
    assert len(seen) == phase.steps < 160
    assert len({figures["held_out"] for figures in seen}) >= 4


def test_a_plateau_is_seen_after_three_losses_that_are_hardly_lower() -> None:
    falling, flat = Plateau(100), Plateau(100)
    for step in range(0, 80, falling.every):
        falling.add(step, 0.9**step)
        flat.add(step, 0.9 ** min(step, 20))
    assert (falling.begin, falling.steps) == (80, 100)
    assert (flat.begin, flat.steps) == (35, 44)  # the last that was lower is that of step 20
    assert [round(flat.rate(step / 100), 2) for step in (34, 35, 40, 44, 99)] == [1.0, 1.0, 0.44, 0.0, 0.0]


def test_reconstruction_and_agreement_get_better() -> None:
    draw = np.random.default_rng(0)
    left, right = draw.integers(0, 255, (2, 64, 3, 1, 1))
    ramps = (left + (right - left) * np.linspace(0, 1, 32)).repeat(32, axis=2).astype(np.uint8)
    phase = Reconstruction(Autoencoder(patch=32, widths=(16, 32), embedding_size=16), ramps, steps=60, batch=32)
    course: list[dict[str, float]] = []
    train_phase(phase, report=lambda _, figures: course.append(figures))
    for name in ("reconstruction", "agreement"):
        first, last = (np.mean([figures[name] for figures in part]) for part in (course[:5], course[-5:]))
        assert last < 0.75 * first, name


def test_codes_do_not_depend_on_how_many_patches_there_are() -> None:
    net, images = Autoencoder(patch=32, widths=(8, 16), embedding_size=8), patches(40)
    whole = encode_views(net, images, views=2, batch=16)
    part = encode_views(net, images[:20], views=2, batch=16)
    assert whole.shape == (2, 40, 8)
    assert torch.equal(whole[:, :16], part[:, :16])
    assert torch.equal(whole[0, :20], part[0]), "the last batch is padded"


def test_fine_tuning_reports_how_the_clusters_ended() -> None:
    phase = fine_tune()
    assert isinstance(phase, FineTune)
    train_phase(phase)
    outcome = phase.outcome()
    assert 1.0 <= outcome.effective <= 4.0 + 1e-4
    assert 0.0 <= outcome.information <= np.log(4)
    phase.clusterer.head.last.bias.data[2] = 60.0
    ended = phase.outcome()
    assert ended.collapsed and ended.effective == pytest.approx(1.0, abs=0.01)


def test_a_frozen_encoder_is_part_of_a_clusterer_and_is_not_fine_tuned() -> None:
    encoder = pretrained_of({"architecture": "resnet", "blocks": [1, 1, 1, 1], "width": 2, "input_size": 32}).eval()
    clusterer = Clusterer(encoder, ClusterHead(encoder.embedding_size, 3)).eval()
    again = Clusterer.from_recipe(clusterer.recipe()).eval()
    again.load_state_dict(clusterer.state_dict())
    images = torch.rand(5, 3, 64, 64)
    assert torch.equal(again(images)[0], clusterer(images)[0])
    with pytest.raises(TypeError, match="cannot be fine-tuned"):
        FineTune(clusterer, patches(), steps=4)


def test_a_recipe_and_weights_rebuild_the_same_clusterer() -> None:
    clusterer = Clusterer(Autoencoder(patch=32, widths=(8,), embedding_size=8), ClusterHead(8, 3))
    clusterer.head.last.bias.data[1] = 1.0
    images = torch.rand(5, 3, 32, 32)
    again = Clusterer.from_recipe(clusterer.recipe())
    again.load_state_dict(clusterer.state_dict())
    assert torch.equal(again(images)[0], clusterer(images)[0])
