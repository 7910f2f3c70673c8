"""fit: a training that is cut off goes on from its checkpoint to the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tile_engine.engine.compute import fit as training
from tile_engine.engine.compute.fit import CheckpointSlot, fit
from tile_engine.models.networks.autoencoder import Autoencoder
from tile_engine.models.training.reconstruction import Reconstruction

STEPS = 9


class CutError(Exception):
    pass


class CutAfter:
    """A beacon that ends the training once a number of steps were told."""

    def __init__(self, steps: int = 10**9) -> None:
        self.steps, self.told = steps, []

    def warn(self, text: str) -> None:
        raise AssertionError(text)

    def tell(self, step: str, done: int, total: int, figures: dict[str, float]) -> None:
        self.told.append(done)
        if done >= self.steps:
            raise CutError


class Phase(Reconstruction):
    """A small autoencoder on noise, which remembers the steps that it did."""

    def __init__(self) -> None:
        patches = np.random.default_rng(0).integers(0, 256, (24, 3, 32, 32), np.uint8)
        source = torch.Generator().manual_seed(4)
        network = Autoencoder(patch=32, widths=(8, 16), embedding_size=8, source=source)
        super().__init__(network, patches, STEPS, batch=8, seed=3)
        self.did: list[int] = []

    def step(self, index: int) -> dict[str, float]:
        self.did.append(index)
        return super().step(index)


def train(slot: Path, *, key: str = "a", cut: int = 10**9) -> tuple[Phase, Any]:
    phase = Phase()
    history = None
    try:
        history = fit(phase, CheckpointSlot(slot, key), threads=1, progress_file=CutAfter(cut))  # type: ignore[arg-type]
    except CutError:
        assert cut < 10**9
    return phase, history


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "STEPS_PER_CHECKPOINT", 2)


def same(a: Phase, b: Phase) -> bool:
    one, other = a.state(), b.state()
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("cut", [3, 4, 8])
def test_a_training_that_is_cut_off_ends_with_the_same_bits_and_the_same_history(
    cut: int, often: None, tmp_path: Path
) -> None:
    undisturbed, history = train(tmp_path / "one" / "a.safetensors")
    train(tmp_path / "two" / "a.safetensors", cut=cut)
    again, history_again = train(tmp_path / "two" / "a.safetensors")
    assert again.did[0] == cut // 2 * 2, "it goes on from the last checkpoint, not from the start"
    assert same(undisturbed, again)
    assert json.dumps(history) == json.dumps(history_again) and [row["step"] for row in history] == list(range(STEPS))


def test_a_training_cut_off_again_and_again_ends_with_the_same_bits(often: None, tmp_path: Path) -> None:
    undisturbed, history = train(tmp_path / "one.safetensors")
    for cut in (1, 3, 3, 6, 8):
        train(tmp_path / "two.safetensors", cut=cut)
    again, history_again = train(tmp_path / "two.safetensors")
    assert same(undisturbed, again) and history == history_again


def test_a_checkpoint_of_other_settings_is_not_used(often: None, tmp_path: Path) -> None:
    train(tmp_path / "a.safetensors", key="old", cut=5)
    assert train(tmp_path / "a.safetensors", key="new")[0].did[0] == 0


def test_a_damaged_checkpoint_costs_time_and_nothing_else_and_is_reported(
    often: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, _ = train(tmp_path / "one.safetensors")
    slot = tmp_path / "two.safetensors"
    train(slot, cut=5)
    slot.write_bytes(slot.read_bytes()[:100])
    told: list[str] = []
    monkeypatch.setattr(CutAfter, "warn", lambda self, text: told.append(text))
    again, _ = train(slot)
    assert again.did[0] == 0 and same(undisturbed, again)
    assert len(told) == 1 and "damaged, so this training begins anew" in told[0]
