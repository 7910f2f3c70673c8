"""network_learner: a fresh convolutional network as the learner that tells sites apart; it sees the head's central block."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..seeds import generator
from .site_classifier import Learner

Array = npt.NDArray[Any]
SIDE = 48
"""Cells along each axis of the block: it is cut out, not resampled, because resampling would remove blur and noise."""
CUT = 32
"""Cells along each axis of the random boxes that a training step computes on."""


def central_block(values: Array, mask: Array, side: int = SIDE) -> Array:
    """The block of `side` cells along each axis about the centre of the mask's bounding box, float16; 0 outside the mask.

    Where the image is smaller, the block is filled up with 0.
    """
    block = np.zeros((side,) * mask.ndim, np.float16)
    source, target = [], []
    for axis, cells in enumerate(mask.shape):
        ends = np.flatnonzero(mask.any(tuple(a for a in range(mask.ndim) if a != axis)))
        if not len(ends):
            raise ValueError("the mask of the image is empty: it has no centre")
        start = (int(ends[0]) + int(ends[-1]) + 1 - side) // 2
        low, high = max(0, start), min(cells, start + side)
        source.append(slice(low, high))
        target.append(slice(low - start, high - start))
    block[tuple(target)] = np.where(mask[tuple(source)], values[tuple(source)], 0.0)
    return block


def network_learner(blocks: Array, sites: Array, *, steps: int, seed: int = 0) -> Learner:
    """A new network for each fold, trained on `blocks` (n, *sides) of the training rows and asked about the test rows.

    `sites` int (n,) from 0. On a CPU the result depends on torch's number of threads, which the caller sets.
    """

    def learn(train: Array, test: Array) -> Array:
        from ..networks.classifier import Classifier, widths_for
        from ..training.classification import (
            ClassificationPlan,
            box_for,
            features_of,
            probabilities_of,
            train_classifier,
        )

        images = blocks[:, None]
        axes, box = blocks.ndim - 1, box_for(blocks.shape[1:], CUT)
        found, labels = np.unique(sites[train], return_inverse=True)
        network = Classifier(len(found), axes=axes, widths=widths_for(box), source=generator(seed, "site network"))
        train_classifier(network, images[train], labels, ClassificationPlan(steps, cut=box), seed=seed)
        return np.asarray(found[probabilities_of(network, features_of(network, images[test])).argmax(1)])

    return learn
