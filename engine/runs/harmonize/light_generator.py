"""LightGenerator: the parts of the light generator of one site, as one model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ....models.harmonization.measures import Measures
from ....models.networks.quantile_curve import QuantileCurve
from ....models.networks.receptive_field import ReceptiveField
from ....models.networks.sharpener import Sharpener
from ....models.networks.tone import ShiftNetwork, Tone, terms_of
from ....models.training import checkpoint
from ....models.training.shift import shifts_of


class LightGenerator(nn.Module):
    """Tone, its adaptation to single volumes, the sharpener behind them, and a curve to the target's quantiles."""

    def __init__(self, tone: Tone, shift: ShiftNetwork | None, sharpener: Sharpener) -> None:
        """`shift` is None where images are not adapted to one by one."""
        super().__init__()
        self.tone, self.shift, self.sharpener = tone, shift, sharpener
        self.finish = QuantileCurve(tone.recipe["channels"])

    def recipe(self) -> dict[str, Any]:
        """Arguments that rebuild the parts; see `load_light`."""
        return {"tone": self.tone.recipe, "shift": self.shift is not None, "sharpener": self.sharpener.recipe}

    def forward(self, toned_BCZYX: Tensor) -> Tensor:
        """Images behind their tone (see `toned`) as of the target."""
        finished: Tensor = self.finish(self.sharpener(toned_BCZYX))
        return finished

    @property
    def field(self) -> ReceptiveField:
        return self.sharpener.field


def shift_of(network: ShiftNetwork | None, measures: Measures) -> Tensor | None:
    """The shift of the tone for one image, (1, S); None where images are not adapted to."""
    return None if network is None else shifts_of(network, [measures])


def load_light(path: Path, sha256: str) -> LightGenerator:
    """The stored generator in evaluation mode. Raises CorruptError where the file's sha256 is another."""
    tensors, recipe = checkpoint.load_checkpoint(path, sha256)
    tone = Tone(**recipe["tone"])
    axes = recipe["tone"]["axes"]
    shift = ShiftNetwork(terms_of(axes), torch.Generator()) if recipe["shift"] else None
    light = LightGenerator(tone, shift, Sharpener(**recipe["sharpener"]))
    checkpoint.load_weights(light, tensors, path)
    return light.eval().requires_grad_(False)
