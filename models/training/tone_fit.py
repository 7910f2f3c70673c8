"""Fit of a tone between two sites, from unpaired images: the values of corresponding blocks get the same distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ..harmonization.measures import LEAST, Measures
from ..networks.tone import Tone, terms

STEPS, RATE = 150, 0.04
WEAK = 1e-3
"""Weight of the squares of the fields: what the curve explains is no field."""


def fit_tone(source: Sequence[Measures], target: Sequence[Measures], top: float = 1.8) -> tuple[Tone, list[float]]:
    """The tone from `source` to `target`, and the distance of their distributions after each step.

    The distance is the mean absolute difference of quantiles, block by block (Wasserstein-1), each averaged over images.
    """
    axes = source[0].positions.shape[-1] if len(source[0].counts) > 1 else 0
    tone = Tone(source[0].values.shape[-1], axes, top)
    counts = np.array([m.counts for m in (*source, *target)])
    used = np.flatnonzero((counts >= LEAST).all(0))
    if not len(used):
        used = np.argmax(counts.min(0), keepdims=True)
    weights_G = torch.from_numpy(counts[:, used].min(0).astype(np.float32))
    weights_G = weights_G / weights_G.sum()
    values_NGQC = torch.from_numpy(np.stack([m.values[used] for m in source]))
    aim_CGQ = torch.from_numpy(np.stack([m.values[used] for m in target])).sort(2).values.mean(0).permute(2, 0, 1)
    positions = torch.from_numpy(np.stack([m.positions[used] for m in source])).flatten(1, 2)
    terms_BNT = torch.stack(terms(list(positions.unbind(-1))), -1) if axes else positions[..., :0]
    values_BCN = values_NGQC.flatten(1, 2).transpose(1, 2).contiguous()
    shape = values_NGQC.shape[1:3]
    adam = torch.optim.Adam(tone.parameters(), RATE)
    distances = []
    for step in range(STEPS):
        adam.param_groups[0]["lr"] = RATE * (0.5 + 0.5 * math.cos(math.pi * step / STEPS))
        toned = tone(values_BCN, terms_BNT).unflatten(2, shape).sort(3).values.mean(0)
        distance = (weights_G * (toned - aim_CGQ).abs().mean(2)).sum(1).mean()
        loss = distance + WEAK * (tone.before.square().sum() + tone.after.square().sum())
        adam.zero_grad()
        loss.backward()
        adam.step()
        distances.append(float(distance.detach()))
    return tone.eval().requires_grad_(False), distances
