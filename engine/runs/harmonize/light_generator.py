"""LightGenerator: the parts of the light generator of one site, as one model, and its tone on a box of an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ....models.harmonization.measures import Measures
from ....models.networks.sharpener import Sharpener
from ....models.networks.tone import ShiftNetwork, Tone, terms, terms_of
from ....models.training import checkpoint
from ....models.training.shift import shifts_of
from ....stores.frame import Array, Box


class LightGenerator(nn.Module):
    """Tone, its adaptation to single volumes, and the sharpener behind them."""

    def __init__(self, tone: Tone, shift: ShiftNetwork | None, sharpener: Sharpener | None) -> None:
        """`shift` is None where images are not adapted to one by one; `sharpener` where there is none yet."""
        super().__init__()
        self.tone, self.shift, self.sharpener = tone, shift, sharpener

    def recipe(self) -> dict[str, Any]:
        """Arguments that rebuild the parts; see `load_light`."""
        sharpener = self.sharpener.recipe if self.sharpener else None
        return {"tone": self.tone.recipe, "shift": self.shift is not None, "sharpener": sharpener}

    def shift_of(self, measures: Measures) -> Tensor | None:
        """The shift of the tone for one image, (1, S); None where images are not adapted to."""
        return None if self.shift is None else shifts_of(self.shift, [measures])


def load_light(path: Path, sha256: str) -> LightGenerator:
    """The stored generator in evaluation mode. Raises CorruptError where the file's sha256 is another."""
    tensors, recipe = checkpoint.load_checkpoint(path, sha256)
    tone = Tone(**recipe["tone"])
    axes = recipe["tone"]["axes"]
    shift = ShiftNetwork(terms_of(axes), torch.Generator()) if recipe["shift"] else None
    light = LightGenerator(tone, shift, Sharpener(**recipe["sharpener"]))
    checkpoint.load_weights(light, tensors, path)
    return light.eval().requires_grad_(False)


@torch.no_grad()
def toned(tone: Tone, values: Array, box: Box, measures: Measures, shift: Tensor | None) -> Array:
    """Values (C, *box.shape) in the generator's units, with the tone for this image; what is 0 stays 0."""
    values_BCN = torch.from_numpy(np.ascontiguousarray(values)).flatten(1)[None]
    if not tone.recipe["axes"]:
        flat: Array = tone(values_BCN, values_BCN[:, 0, :, None][..., :0]).view(values.shape).numpy()
        return flat
    positions = []
    for axis, (start, n) in enumerate(zip(box.start, box.shape, strict=True)):
        at = (np.arange(start, start + n) + 0.5 - measures.centre[axis]) / measures.half[axis]
        positions.append(
            torch.from_numpy(at.astype(np.float32)).view([n if a == axis else 1 for a in range(len(box.shape))])
        )
    fields = [term.expand(box.shape).reshape(-1) for term in terms(positions)]
    terms_BNT = torch.stack(fields, -1)[None]
    changed: Array = tone(values_BCN, terms_BNT, shift).view(values.shape).numpy()
    return changed
