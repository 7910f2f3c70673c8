"""CycleGan: it resumes to the same weights, trains all of its networks, and shows discriminators old fakes."""

from __future__ import annotations

import pytest
import torch

from tile_engine.models.networks.discriminator import PatchDiscriminator
from tile_engine.models.networks.generators import ResNetGenerator
from tile_engine.models.seeds import generator
from tile_engine.models.training.cyclegan import CycleGan, Pair, SiteNetworks, Weights
from tile_engine.models.training.phases import DivergedError, train_phase

SIDE = 32


def phase(steps: int, sites: int = 1, bad: bool = False) -> CycleGan:
    """Images of the target are half as bright again as those of the sources."""

    def net(name: str) -> ResNetGenerator:
        return ResNetGenerator(width=4, blocks=1, source=generator(0, name))

    def critic(name: str) -> PatchDiscriminator:
        return PatchDiscriminator(width=4, layers=2, source=generator(0, name))

    def draw(index: int) -> tuple[int, Pair]:
        source = generator(5, index)
        a, b = (
            torch.rand(2, 1, SIDE // 4, SIDE // 4, generator=source).repeat_interleave(4, 2).repeat_interleave(4, 3)
            for _ in "ab"
        )
        mask = torch.ones(2, 1, SIDE, SIDE)
        return index % sites, Pair(a * (float("nan") if bad else 0.4), mask, b * 0.4 + 0.3, mask)

    parts = tuple(SiteNetworks(net(f"back{i}"), critic(f"s{i}"), critic(f"t{i}")) for i in range(sites))
    return CycleGan(net("forward"), parts, draw, steps, piece=(1, SIDE, SIDE), weights=Weights(pool=3))


def test_resumed_training_ends_with_the_same_weights() -> None:
    whole, first, second = (phase(6, sites=2) for _ in range(3))
    train_phase(whole)
    for index in range(3):
        first.step(index)
    second.load(first.state())
    train_phase(second, start=3)
    one, other = whole.state(), second.state()
    assert one.keys() == other.keys() == phase(6, sites=2).state().keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_every_network_is_trained_and_losses_are_told() -> None:
    training = phase(2)
    before = training.state()
    figures = training.step(0)
    assert list(figures) == ["loss", "adversarial", "cycle", "critics", "identity"]
    after = training.state()
    for prefix in ("generators.forward", "generators.back0", "critics.source0", "critics.target0"):
        names = [name for name in before if name.startswith(prefix) and name.endswith("weight")]
        assert names and any(not torch.equal(before[name], after[name]) for name in names)


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    with pytest.raises(DivergedError, match="cyclegan"):
        phase(1, bad=True).step(0)


def test_old_fakes_are_shown_once_the_pool_is_full() -> None:
    training = phase(1)
    fakes = torch.arange(40.0).view(40, 1, 1, 1).expand(40, 1, SIDE, SIDE)
    shown = training._shown("target0", fakes, 0)[:, 0, 0, 0]
    assert torch.equal(shown[:3], fakes[:3, 0, 0, 0])
    old = shown[3:] < fakes[3:, 0, 0, 0]
    assert 8 < int(old.sum()) < 30  # half of them, and none that has not been there
    assert (shown <= fakes[:, 0, 0, 0]).all()
