"""spots: scores and maps of films by spotters, networks that were trained to see pasted anomalies.

```text
film -> each spotter -> logit of every cell -> probability -> mean over cells: the share of the film that looks pasted
                                            -> enlarged to the film: where
                     -> features of the film -> distance to the k nearest training films
```
Both scores are means over spotters, each in units of the training films' own spread: networks of several seeds count alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ...errors import SettingsError
from ..batches import Patches, in_order
from ..networks.autoencoder import to_float
from ..networks.spotter import Spotter
from .nearest import Reference

Array = npt.NDArray[Any]
SPOT_SCORES = ("pasted", "pasted_neighbours", "pasted_both")
BATCH = 32
"""Films at once."""


@dataclass(frozen=True, slots=True)
class SpotterReference:
    """What a spotter says of the training films: scores are told in their units."""

    logits: Array
    """Score of each training film (n,): logit of its mean probability over cells."""
    features: Reference
    """Its features, and how far the training films lie from each other."""

    def tensors(self) -> dict[str, Array]:
        """Arrays that rebuild this, by name: `reference_from`."""
        return {"logits": self.logits, **{f"features.{name}": t for name, t in self.features.tensors().items()}}


def reference_from(tensors: dict[str, Array]) -> SpotterReference:
    """The reference whose `tensors()` these are."""
    features = {key.removeprefix("features."): t for key, t in tensors.items() if key.startswith("features.")}
    return SpotterReference(tensors["logits"], Reference.from_tensors(features))


def reference_of(spotter: Spotter, films: Patches, batch: int = BATCH) -> SpotterReference:
    """What a spotter says of its training films (n, C, S, S). Raises SettingsError for fewer than two."""
    if len(films) < 2:
        raise SettingsError(
            f"{len(films)} training films have no spread: scores are told in units of it. Use two or more."
        )
    logits, features = _figures(spotter, films, batch)
    return SpotterReference(logits, Reference.of(features))


def score_spots(
    spotters: Sequence[Spotter], references: Sequence[SpotterReference], films: Patches, batch: int = BATCH
) -> dict[str, Array]:
    """Score name -> score of each film (n,), float64: `SPOT_SCORES`; a higher score is more unlike the training films.

    `pasted`: standard deviations of the film's logit above the training films' mean. `pasted_neighbours`: the same of the
    distance of its features to the nearest training films; on radiographs of children it was the steadier one over seeds.
    `pasted_both`: their mean. A score depends on the film alone. Raises SettingsError unless there is one reference for each
    of one or more spotters.
    """
    if not spotters or len(spotters) != len(references):
        raise SettingsError(
            f"{len(spotters)} networks have {len(references)} references: each has one, and there is one."
        )
    pasted, near = np.zeros(len(films)), np.zeros(len(films))
    for spotter, reference in zip(spotters, references, strict=True):
        logits, features = _figures(spotter, films, batch)
        pasted += (logits - reference.logits.mean()) / max(float(reference.logits.std()), 1e-6) / len(spotters)
        near += reference.features.standard(features) / len(spotters)
    return dict(zip(SPOT_SCORES, (pasted, near, (pasted + near) / 2), strict=True))


@torch.inference_mode()
def spot_maps(spotters: Sequence[Spotter], films: Patches, batch: int = BATCH) -> Iterator[tuple[Array, Array]]:
    """(rows, probability at each pixel that an anomaly is there, float32 (B, Y, X)), batch after batch; means over spotters."""
    for rows, films_BCYX in _padded(films, batch):
        size, total = films_BCYX.shape[2:], torch.zeros(())
        for spotter in spotters:
            spotter.eval()
            cells_BYX = spotter(films_BCYX.to(next(spotter.parameters()).device))[1].sigmoid()
            total = total + F.interpolate(cells_BYX[:, None], size=size, mode="bilinear", align_corners=False).cpu()
        yield rows, (total[: len(rows), 0] / len(spotters)).numpy()


@torch.inference_mode()
def _figures(spotter: Spotter, films: Patches, batch: int) -> tuple[Array, Array]:
    """(logit of the mean probability over cells (n,), features (n, F)) of films, float64."""
    spotter.eval()
    device = next(spotter.parameters()).device
    logits, features = [], []
    for rows, films_BCYX in _padded(films, batch):
        maps_BFYX = spotter.maps(films_BCYX.to(device))
        share_B = spotter.spots(maps_BFYX).double().sigmoid().flatten(1).mean(1)
        logits.append(share_B.logit()[: len(rows)].cpu().numpy())
        features.append(spotter.pooled(maps_BFYX)[: len(rows)].double().cpu().numpy())
    return np.concatenate(logits), np.concatenate(features)


def _padded(films: Patches, batch: int) -> Iterator[tuple[Array, Tensor]]:
    """(rows, films (batch, C, Y, X) float); the last film fills the last batch, so that rows do not depend on each other."""
    for rows in in_order(len(films), batch):
        seen = to_float(films[rows])
        missing = batch - len(rows)
        yield rows, torch.cat([seen, seen[-1:].expand(missing, *seen.shape[1:])]) if missing else seen
