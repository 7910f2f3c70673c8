"""effort: what a judgement may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """What a judgement may cost. Networks take nearly all of its time."""

    network_steps: int = 40
    """Training steps of each fold's network; 0: no network."""
    networks: tuple[str, ...] = ()
    """Methods that a network looks at; empty for all."""
    folds: int = 5
    seed: int = 0

    def looked_at(self, method: str) -> bool:
        """Whether a network looks at the scans as this method leaves them."""
        return self.network_steps > 0 and (not self.networks or method in self.networks)
