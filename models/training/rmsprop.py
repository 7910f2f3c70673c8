"""RMSProp: the optimiser of older published networks, with its whole state as a flat table of tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

RATE, MEMORY, EPSILON = 1e-3, 0.9, 1e-7
"""Learning rate, share of the mean square that a step keeps, and what is added to the root: Keras's default values."""


class RMSProp:
    """Tieleman and Hinton's update at a constant learning rate; state as `optimiser.Adam` has it."""

    def __init__(self, modules: Mapping[str, nn.Module], rate: float = RATE) -> None:
        """`modules`: names become prefixes of the state's keys."""
        self._modules, self._rate = dict(modules), rate
        self._squares = {
            f"rmsprop.{name}.{key}": torch.zeros_like(parameter, memory_format=torch.preserve_format)
            for name, module in modules.items()
            for key, parameter in module.named_parameters()
        }

    def step(self, loss: Tensor, index: int) -> None:
        """One update; the step's index changes nothing here."""
        parameters = [p for module in self._modules.values() for p in module.parameters()]
        for parameter in parameters:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for parameter, square in zip(parameters, self._squares.values(), strict=True):
                if parameter.grad is not None:
                    square.mul_(MEMORY).addcmul_(parameter.grad, parameter.grad, value=1 - MEMORY)
                    parameter.addcdiv_(parameter.grad, square.sqrt().add_(EPSILON), value=-self._rate)

    def state(self) -> dict[str, Tensor]:
        """Detached copies of weights, buffers and mean squares, by name."""
        weights = {f"{name}.{k}": t for name, m in self._modules.items() for k, t in m.state_dict().items()}
        return {key: t.detach().clone().contiguous() for key, t in {**weights, **self._squares}.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore `state` in place."""
        for name, module in self._modules.items():
            prefix = f"{name}."
            module.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        for key, square in self._squares.items():
            square.copy_(state[key])
