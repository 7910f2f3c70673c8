"""CycleGan: the phase that trains generators between sites without pairs: many sites to one, or one to one.

```text
a --G--> fake b --F_s--> a again        G is one for all source sites, F_s and two discriminators are the site's own
b --F_s--> fake a --G--> b again        (Roca et al., IGUANe; with one source site it is the CycleGAN of Zhu et al.)
```
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..losses.adversarial import judged_real, masked_error, told_apart
from ..seeds import generator
from .optimiser import ADVERSARIAL, Adam
from .phases import check_finite

RATE = 2e-4


@dataclass(frozen=True, slots=True)
class Pair:
    """Pieces of a source site's images and of the target's, with their masks: (B, C, *axes), (B, 1, *axes)."""

    source: Tensor
    source_mask: Tensor
    target: Tensor
    target_mask: Tensor


@dataclass(frozen=True, slots=True)
class SiteNetworks:
    """What belongs to one source site."""

    back: nn.Module
    """The target's images as of the site."""
    source_critic: nn.Module
    target_critic: nn.Module


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the losses beside the adversarial one."""

    cycle: float = 10.0
    identity: float = 0.5
    """Relative to the cycle's."""
    pool: int = 50
    """Earlier fakes that a discriminator may be shown again."""


Draw = Callable[[int], tuple[int, Pair]]
"""Step -> (number of the source site, its pieces)."""


class CycleGan:
    """Least-squares adversarial losses, cycle and identity losses inside the masks; a pool of earlier fakes."""

    name = "cyclegan"

    def __init__(
        self,
        forward: nn.Module,
        sites: tuple[SiteNetworks, ...],
        draw: Draw,
        steps: int,
        *,
        piece: tuple[int, ...],
        weights: Weights,
        seed: int = 0,
    ) -> None:
        """`piece`: shape (C, *axes) of the pieces that are drawn."""
        self.forward, self.sites, self.steps = forward, sites, steps
        self._draw, self._weights, self._seed = draw, weights, seed
        self._device = next(forward.parameters()).device
        for network in (forward, *(n for s in sites for n in (s.back, s.source_critic, s.target_critic))):
            network.train()
        generators = {"forward": (forward, RATE)} | {f"back{i}": (s.back, RATE) for i, s in enumerate(sites)}
        critics = {f"source{i}": (s.source_critic, RATE) for i, s in enumerate(sites)}
        critics |= {f"target{i}": (s.target_critic, RATE) for i, s in enumerate(sites)}
        self._generators = Adam(generators, steps, warmup=0, schedule=ADVERSARIAL)
        self._critics = Adam(critics, steps, warmup=0, schedule=ADVERSARIAL)
        # of full size from the start, so that a checkpoint of any step has the same shapes
        size = (weights.pool, *piece)
        self._pools = {name: torch.zeros(size) for name in critics}
        self._held = {name: torch.zeros((), dtype=torch.int64) for name in critics}

    def step(self, index: int) -> dict[str, float]:
        site, pair = self._draw(index)
        nets = self.sites[site]
        a, ma, b, mb = (t.to(self._device) for t in (pair.source, pair.source_mask, pair.target, pair.target_mask))
        fake_b, fake_a = self.forward(a) * ma, nets.back(b) * mb
        adversarial = judged_real(nets.target_critic(fake_b)) + judged_real(nets.source_critic(fake_a))
        cycle = masked_error(nets.back(fake_b), a, ma) + masked_error(self.forward(fake_a), b, mb)
        identity = masked_error(self.forward(b), b, mb) + masked_error(nets.back(a), a, ma)
        loss = adversarial + self._weights.cycle * (cycle + self._weights.identity * identity)
        figures = {
            "loss": float(loss.detach()),
            "adversarial": float(adversarial.detach()),
            "cycle": float(cycle.detach()),
        }
        check_finite(self.name, index, figures["loss"])
        self._generators.step(loss, index)
        shown_b = self._shown(f"target{site}", fake_b.detach(), index)
        shown_a = self._shown(f"source{site}", fake_a.detach(), index)
        critics = told_apart(nets.target_critic(b), nets.target_critic(shown_b))
        critics = critics + told_apart(nets.source_critic(a), nets.source_critic(shown_a))
        figures |= {"critics": float(critics.detach()), "identity": float(identity.detach())}
        check_finite(self.name, index, figures["critics"])
        self._critics.step(critics, index)
        return figures

    def _shown(self, name: str, fakes: Tensor, index: int) -> Tensor:
        """Each fake, or in half of the cases an earlier one, whose place in the pool it takes."""
        shown = []
        pool, held = self._pools[name], int(self._held[name])
        draw = generator(self._seed, "pool", name, index)
        for fake in fakes.cpu():
            if held < len(pool):
                pool[held] = fake
                held += 1
            elif torch.rand((), generator=draw) < 0.5:
                at = int(torch.randint(len(pool), (), generator=draw))
                fake, pool[at] = pool[at].clone(), fake
            shown.append(fake)
        self._held[name].fill_(held)
        return torch.stack(shown).to(fakes.device)

    def state(self) -> dict[str, Tensor]:
        pools = {f"pool.{name}": pool.clone() for name, pool in self._pools.items()}
        held = {f"held.{name}": count.clone() for name, count in self._held.items()}
        generators, critics = (
            {f"{label}.{key}": tensor for key, tensor in adam.state().items()}
            for label, adam in (("generators", self._generators), ("critics", self._critics))
        )
        return generators | critics | pools | held

    def load(self, state: Mapping[str, Tensor]) -> None:
        for label, adam in (("generators", self._generators), ("critics", self._critics)):
            adam.load({k.removeprefix(f"{label}."): v for k, v in state.items() if k.startswith(f"{label}.")})
        for name in self._pools:
            self._pools[name].copy_(state[f"pool.{name}"])
            self._held[name].copy_(state[f"held.{name}"])
