"""Optimiser: Adam with its whole state as a flat table of tensors, so that a checkpoint needs no pickle."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the learning rate falls, and the momentum."""

    decay: Callable[[float], float]
    """Share of the steps done -> share of the learning rate."""
    momentum: float = 0.9
    """Adam's first beta."""


COSINE = Schedule(lambda done: 0.5 + 0.5 * math.cos(math.pi * done))
ADVERSARIAL = Schedule(lambda done: min(1.0, 2 - 2 * done), momentum=0.5)
"""Constant for half of the steps, then a linear decay: Zhu et al., ICCV 2017."""


class Adam:
    """torch's AdamW over named modules, each with its own learning rate; linear warm-up, then decay to zero by `schedule`."""

    def __init__(
        self,
        modules: Mapping[str, tuple[nn.Module, float]],
        steps: int,
        warmup: int = 20,
        decay: float = 0.0,
        schedule: Schedule = COSINE,
    ) -> None:
        """`modules`: name -> (network, learning rate); names become prefixes of the state's keys.

        `decay`: each step takes this share of the learning rate off every weight (AdamW).
        """
        self._modules = {name: module for name, (module, _) in modules.items()}
        self._rates = [rate for _, rate in modules.values()]
        self._steps, self._warmup, self._decay = steps, max(1, min(warmup, steps // 10)), schedule.decay
        groups = [{"params": list(module.parameters()), "lr": rate} for module, rate in modules.values()]
        self._adam = torch.optim.AdamW(groups, betas=(schedule.momentum, 0.999), weight_decay=decay)
        for parameter in self._parameters():
            # Created here, not in the first step, so that the state always has the same keys.
            self._adam.state[parameter] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            }

    def step(self, loss: Tensor, index: int) -> None:
        """One update at the learning rate of step `index`; gradients are clipped to a norm of 10."""
        for group, rate in zip(self._adam.param_groups, self._rates, strict=True):
            group["lr"] = rate * self._schedule(index)
        self._adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters(), 10.0)
        self._adam.step()

    def forget(self, parameter: nn.Parameter, where: tuple[int | slice, ...]) -> None:
        """Set the moments of a part of a parameter to zero, after new weights were drawn for it."""
        state = self._adam.state[parameter]
        state["exp_avg"][where] = 0.0
        state["exp_avg_sq"][where] = 0.0

    def state(self) -> dict[str, Tensor]:
        """Detached copies of weights, buffers and moments, by name."""
        tensors = {}
        for name, module in self._modules.items():
            for key, tensor in module.state_dict().items():
                tensors[f"{name}.{key}"] = tensor
            for key, parameter in module.named_parameters():
                for moment, tensor in self._adam.state[parameter].items():
                    tensors[f"adam.{name}.{key}.{moment}"] = tensor
        return {key: tensor.detach().clone().contiguous() for key, tensor in tensors.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore `state` in place."""
        for name, module in self._modules.items():
            prefix = f"{name}."
            module.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
            for key, parameter in module.named_parameters():
                for moment, tensor in self._adam.state[parameter].items():
                    tensor.copy_(state[f"adam.{name}.{key}.{moment}"])

    def _parameters(self) -> Sequence[nn.Parameter]:
        return [parameter for module in self._modules.values() for parameter in module.parameters()]

    def _schedule(self, index: int) -> float:
        rise = min(1.0, (index + 1) / self._warmup)
        return rise * self._decay(min(1.0, index / max(1, self._steps)))
