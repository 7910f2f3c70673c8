"""Embedding: classes come apart, unlabelled volumes take part, sites are forgotten, and a stop changes no bit."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from tile_engine.errors import SettingsError
from tile_engine.models.networks import cae3d
from tile_engine.models.networks.autoencoder import to_float
from tile_engine.models.networks.cae3d import CAE3D, CLASS_FEATURE_SCALE
from tile_engine.models.replica import Replica
from tile_engine.models.training import checkpoint, embedding
from tile_engine.models.training.components import Components
from tile_engine.models.training.embedding import Embedding
from tile_engine.models.training.encoding import embeddings_of, reconstructions, squared_errors
from tile_engine.models.training.objective import OBJECTIVE_KINDS, Objective, Task
from tile_engine.models.training.phases import train_phase
from tile_engine.models.views.volumes import VolumeViews
from tile_engine.stores.files import write_whole


def volumes(count: int = 24) -> np.ndarray:
    """Boxes of two thicknesses in many places and brightnesses, uint16 (N, 1, 16, 16, 16)."""
    draw = np.random.default_rng(0)
    made = np.zeros((count, 1, 16, 16, 16), np.uint16)
    for i in range(count):
        z, y, x = draw.integers(2, 6, 3)
        thick = 3 + 2 * (i % 2)
        made[i, 0, z : z + thick, y : y + 8, x : x + 8] = draw.integers(20_000, 60_000)
    return made


LABELS = np.arange(24) % 2


def network() -> CAE3D:
    return CAE3D((16, 16, 16), widths=(8, 16), embedding_size=6)


def phase(objective: Objective, *, steps: int = 6, replica: Replica | None = None, **task: Any) -> Embedding:
    task.setdefault("labels", LABELS)
    more = {} if replica is None else {"replica": replica}
    return Embedding(network(), volumes(), steps, 8, task=Task(objective, **task), seed=2, **more)


@pytest.mark.parametrize("kind", OBJECTIVE_KINDS)
def test_a_phase_stopped_and_loaded_into_a_new_one_ends_with_the_same_bits(kind: Any, tmp_path: Path) -> None:
    def make() -> Embedding:
        return phase(Objective(kind, site=0.1, entropy=0.1, class_features=True), sites=LABELS[::-1].copy())

    undisturbed, first, second = make(), make(), make()
    train_phase(undisturbed)
    for index in range(3):
        first.step(index)
    checkpoint.save_checkpoint(tmp_path / "state.safetensors", first.state(), {"step": 3}, write_whole)
    tensors, _ = checkpoint.load_checkpoint(tmp_path / "state.safetensors")
    second.step(0)  # whatever it was before, it goes on from the checkpoint
    second.load(tensors)
    train_phase(second, start=3)
    wanted, found = undisturbed.state(), second.state()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[key], found[key]) for key in wanted)
    assert any(not torch.equal(wanted[key], value) for key, value in make().state().items())


def test_a_training_begins_as_good_as_principal_components() -> None:
    """To rounding, where there are no more components than numbers; the code's distances are theirs, in one unit."""
    net = CAE3D((16, 16, 16), widths=(8, 16), embedding_size=30)
    Embedding(net, volumes(), 1, 8, views=VolumeViews(shift=0, brightness=0.0, noise=0.0))
    components = Components(volumes(), 30)
    new = volumes(40)[24:]
    with torch.inference_mode():
        again, _ = net(to_float(new))
    errors = (again - to_float(new)).square().mean((1, 2, 3, 4))
    assert np.allclose(errors.numpy(), components.squared_errors(new), atol=1e-6)
    wanted, found = (pdist(codes) for codes in (components.embeddings(new), embeddings_of(net, new)[:, :23]))
    assert np.allclose(found / wanted, (found / wanted)[0], rtol=1e-3)


def test_reconstruction_gets_better_than_the_components_that_it_begins_with() -> None:
    """What three numbers say along straight lines, a network says along curves."""
    net = CAE3D((16, 16, 16), widths=(8, 16), embedding_size=3)
    made = Embedding(net, volumes(), 300, 8, views=VolumeViews(shift=0, brightness=0.0, noise=0.0))
    begun = squared_errors(net, volumes())
    scaled = volumes() / 65535
    assert begun.shape == (24,) and begun.mean() < 0.7 * np.square(scaled - scaled.mean(0)).mean()
    train_phase(made)
    assert squared_errors(net, volumes()).mean() < 0.97 * begun.mean()


def test_few_volumes_begin_with_views_of_them() -> None:
    """A box that lies elsewhere than any that was seen is reconstructed better by components of moved boxes."""
    errors = []
    for shift in (0.0, 2.0):
        net = CAE3D((16, 16, 16), widths=(8, 16), embedding_size=60)
        Embedding(net, volumes(8), 1, 8, views=VolumeViews(shift=shift, brightness=0.0, noise=0.0))
        errors.append(squared_errors(net, volumes(24)[8:]).mean())
    assert errors[1] < 0.8 * errors[0]


def test_of_large_volumes_components_are_of_means_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cae3d, "MAX_COMPONENT_CELLS", 2 * 8**3)
    both = np.concatenate([volumes(), volumes()[::-1]], 1)  # two channels
    net = CAE3D((16, 16, 16), widths=(8, 16), embedding_size=40, channels=2)
    Embedding(net, both, 1, 8, views=VolumeViews(shift=0, brightness=0.0, noise=0.0))
    with torch.inference_mode():
        again, _ = net(to_float(both))
    # all 23 components there are: of volumes that were seen the means over blocks come back, less what interpolation blurs
    halves, found = (torch.nn.functional.avg_pool3d(volume, 2) for volume in (to_float(both), again))
    centred = halves - halves.mean(0)
    blurred = torch.nn.functional.avg_pool3d(
        torch.nn.functional.interpolate(centred, scale_factor=2, mode="trilinear"), 2
    )
    assert (found - halves).square().mean() < 0.15 * (blurred - centred).square().mean()


def test_what_a_training_begins_as_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "MAX_START_ROWS", 10)
    rows: list[int] = []
    monkeypatch.setattr(CAE3D, "begin_as", lambda _, coarse: rows.append(len(coarse)))
    for count in (24, 3):
        Embedding(network(), volumes(count), 1, 8)
    assert rows == [10, 9]


def test_a_trained_network_is_trained_on_from_where_it_is() -> None:
    made = phase(Objective(), steps=2)
    train_phase(made)
    before = made.network.state_dict()["template"].clone()
    Embedding(made.network, volumes()[:5], 2, 4)
    assert torch.equal(made.network.template, before)


def test_class_features_leave_what_a_training_begins_as() -> None:
    """Whether the network has them from its recipe or gets them with the objective."""
    nets = [CAE3D((16, 16, 16), widths=(8, 16), embedding_size=30, class_features=classes) for classes in (0, 2)]
    for net in nets:
        task = Task(Objective("prototypes", class_features=True), labels=LABELS)
        Embedding(net, volumes(), 1, 8, task=task, views=VolumeViews(shift=0, brightness=0.0, noise=0.0))
        assert squared_errors(net, volumes()).mean() < 1e-4
    assert torch.equal(nets[0].to_components.weight, nets[1].to_components.weight)  # type: ignore[union-attr]


def test_one_volume_or_equal_ones_can_be_learned() -> None:
    for cohort in (volumes(1), np.repeat(volumes(1), 4, 0), np.zeros((3, 1, 16, 16, 16), np.uint8)):
        made = Embedding(network(), cohort, 2, 2)
        train_phase(made)
        assert np.isfinite(embeddings_of(made.network, cohort)).all()


def test_how_much_there_is_stands_in_the_code_wherever_it_lies() -> None:
    """Mean and maximum of maps: a box that has moved changes them little, a thicker one much."""
    net = network()
    thin, moved, thick = torch.zeros(3, 1, 1, 16, 16, 16)
    thin[..., 4:6, 4:12, 4:12], moved[..., 8:10, 4:12, 4:12], thick[..., 4:10, 4:12, 4:12] = 1.0, 1.0, 1.0
    pooled = slice(len(net.components_FG), len(net.components_FG) + 2 * (8 + 16))
    one, same, other = (net.features(volume)[0, pooled] for volume in (thin, moved, thick))
    assert (one - same).norm() < 0.5 * (one - other).norm()


def test_a_pooled_network_begins_at_the_mean() -> None:
    net = CAE3D((16, 16, 16), widths=(8, 16), maps=2)
    Embedding(net, volumes(), 1, 8)
    assert np.allclose(net.template.numpy(), (volumes() / 65535).mean(0), atol=1e-6)


@pytest.mark.parametrize("kind", OBJECTIVE_KINDS[1:])
def test_known_classes_come_apart(kind: Any) -> None:
    def separation(codes: np.ndarray) -> float:
        middle = [codes[label == LABELS].mean(0) for label in (0, 1)]
        within = np.mean([codes[label == LABELS].std(0).mean() for label in (0, 1)])
        return float(np.linalg.norm(middle[0] - middle[1]) / within)

    made = phase(Objective(kind, temperature=0.1 if kind == "contrastive" else 10.0), steps=150)
    before = separation(embeddings_of(made.network, volumes()))
    train_phase(made)
    assert separation(embeddings_of(made.network, volumes())) > 1.4 * before


def test_class_features_tell_known_classes() -> None:
    made = phase(Objective("prototypes", class_features=True), steps=150)
    train_phase(made)
    class_features = embeddings_of(made.network, volumes())[:, -2:]
    assert np.allclose(class_features.sum(1), CLASS_FEATURE_SCALE, atol=1e-3)
    thick = class_features[:, 1] / CLASS_FEATURE_SCALE
    assert thick[LABELS == 1].mean() > 0.1 + thick[LABELS == 0].mean()


def test_unlabelled_volumes_take_part() -> None:
    """With all labels but four hidden the entropy term draws the others towards a class, and all are reconstructed."""
    some = np.where(np.arange(24) < 4, LABELS, -1)
    made = phase(Objective("prototypes", alpha=0.1, entropy=1.0, temperature=30.0), labels=some, steps=150)
    course: list[dict[str, float]] = []
    train_phase(made, report=lambda _, figures: course.append(figures))
    assert np.mean([f["entropy"] for f in course[-9:]]) < 0.95 * np.mean([f["entropy"] for f in course[:9]])
    scaled = volumes() / 65535
    assert squared_errors(made.network, volumes())[4:].mean() < 0.5 * np.square(scaled - scaled.mean(0)).mean()


@pytest.mark.parametrize(
    ("objective", "task", "word"),
    [
        ({"kind": "prototypes"}, {"labels": None}, "needs at least 2"),
        ({"kind": "prototypes"}, {"labels": np.zeros(24, int)}, "name 1"),
        ({"site": 1.0}, {}, "fewer than 2 known sites"),
        ({}, {"labels": np.zeros(3, int)}, "3 labels and 24 sites for 24 volumes"),
    ],
)
def test_what_an_objective_lacks_is_said(objective: dict[str, Any], task: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        phase(Objective(**objective), **task)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "magic"},
        {"distance": "l1"},
        {"temperature": 0.0},
        {"prototypes": 0},
        {"balance": 2.0},
        {"dropout": 1.0},
    ],
)
def test_an_impossible_objective_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Objective(**wrong)


def test_codes_do_not_depend_on_how_many_volumes_there_are() -> None:
    net, some = network(), volumes(10)
    whole = embeddings_of(net, some, 4)
    assert whole.shape == (10, 6) and whole.dtype == np.float32
    assert np.array_equal(embeddings_of(net, some[:5], 4)[:5], whole[:5])
    rows = [(index, before, after) for index, before, after in reconstructions(net, some, 4)]
    assert np.concatenate([index for index, _, _ in rows]).tolist() == list(range(10))
    assert rows[-1][1].shape == rows[-1][2].shape == (2, 1, 16, 16, 16)


class Ranks:
    """Two trainers in two threads that meet where a gang's ranks do."""

    def __init__(self) -> None:
        self.barrier, self.slots = threading.Barrier(2), [None, None]

    def replica(self, rank: int) -> Replica:
        def meet(rows: torch.Tensor) -> list[torch.Tensor]:
            self.slots[rank] = rows
            self.barrier.wait(60)
            both = list(self.slots)
            self.barrier.wait(60)
            return both

        class Gather(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, rows: torch.Tensor) -> torch.Tensor:
                return torch.cat(meet(rows.detach()))

            @staticmethod
            def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
                return sum(meet(gradients[0].clone())).chunk(2)[rank]

        def join(network: torch.nn.Module) -> torch.nn.Module:
            for parameter in network.parameters():
                parameter.register_hook(lambda gradient: sum(meet(gradient.clone())) / 2)
            return network

        return Replica(rank, 2, Gather.apply, join)


@pytest.mark.parametrize("kind", ["prototypes", "proxy"])
def test_two_trainers_are_one(kind: Any) -> None:
    objective = Objective(kind, site=0.1, class_features=True)
    sites = np.arange(24) // 12
    alone, ranks = phase(objective, sites=sites), Ranks()
    both = [phase(objective, sites=sites, replica=ranks.replica(rank)) for rank in (0, 1)]
    threads = [threading.Thread(target=train_phase, args=(one,), daemon=True) for one in both]
    for thread in threads:
        thread.start()
    train_phase(alone)
    for thread in threads:
        thread.join(60)
    wanted = alone.network.state_dict()
    for one in both:
        assert all(torch.allclose(wanted[k], v, atol=2e-3) for k, v in one.network.state_dict().items())
    assert all(torch.equal(v, both[1].network.state_dict()[k]) for k, v in both[0].network.state_dict().items())
