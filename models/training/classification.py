"""Classification: the phase that trains a classifier, and the fit of its last layer on whole images.

```text
Classification (blocks, on random boxes of views) -> fit_head (linear layer, on the features of whole unchanged images)
```
Boxes cost a fraction of whole images, and make the blocks find the class in every part. The linear layer is a linear
discriminant of the maps' means: it named the simulated site of 84 heads of 84, a logistic regression that of 81. Both are
done by `train_classifier`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...errors import SettingsError
from ..batches import Patches, Stratified, in_order
from ..networks.autoencoder import to_float
from ..networks.classifier import Classifier
from ..replica import SINGLE, Computed, Replica
from ..seeds import generator, initialise, numpy_generator
from ..views.regions import RegionViews, cut_regions
from .discriminant import linear_discriminant
from .optimiser import Adam
from .phases import check_finite, train_phase

Array = npt.NDArray[Any]
RATE, DECAY = 5e-3, 0.02
"""Learning rate after the warm-up, and weight decay."""
SMOOTHING = 0.1
"""Share of the target that is spread over all classes (label smoothing)."""


@dataclass(frozen=True, slots=True)
class ClassificationPlan:
    """Sizes of a training, and what the network sees of an image in a step."""

    steps: int
    batch: int = 24
    cut: tuple[int, ...] = ()
    """Sides of the box of each image that a step computes on; empty for whole images."""
    views: RegionViews = RegionViews()


class Classification:
    """Cross-entropy with label smoothing on random boxes of views; classes are equally frequent in a batch.

    >>> images, labels = np.zeros((8, 1, 16, 16), np.uint8), np.arange(8) % 2
    >>> phase = Classification(Classifier(2, axes=2, widths=(8, 8)), images, labels, ClassificationPlan(steps=2, batch=4))
    >>> sorted(phase.step(0))
    ['accuracy', 'loss']
    """

    name = "classification"

    def __init__(
        self,
        network: Classifier,
        images: Patches,
        labels: Array,
        plan: ClassificationPlan,
        *,
        seed: int = 0,
        replica: Replica = SINGLE,
    ) -> None:
        """`images`: (n, C, *sides) uint8, uint16 or float; `labels`: class of each image, from 0. Raises SettingsError."""
        check_labels(labels, len(images), network.classes)
        self.network, self.steps, self._plan, self._seed, self._replica = network, plan.steps, plan, seed, replica
        self._images, self._labels = images, torch.from_numpy(np.asarray(labels, np.int64))
        size = replica.even(min(plan.batch, len(images)))
        self._batches = Stratified(np.asarray(labels), size, seed, self.name)
        self._device = next(network.parameters()).device
        # the network's own last layer may read where something is, which a box does not know
        self._head = nn.Linear(network.head.in_features // network.pool**network.axes, network.classes)
        initialise(self._head, generator(seed, self.name, "head"))
        self._head.to(self._device)
        self._losses = replica.join(Computed(nn.ModuleList([network.blocks, self._head]), self._compute))
        self._adam = Adam({"blocks": (network.blocks, RATE), "head": (self._head, RATE)}, plan.steps, decay=DECAY)

    def step(self, index: int) -> dict[str, float]:
        batch = self._batches[index]
        images_BCZYX, draw = self._images[batch], numpy_generator(self._seed, self.name, index)
        if self._plan.cut:  # before they are made floating-point numbers: whole volumes are large
            images_BCZYX = cut_regions(images_BCZYX, self._plan.cut, draw)
        images_BCZYX = to_float(images_BCZYX).numpy()
        view_BCZYX = torch.from_numpy(np.ascontiguousarray(self._plan.views(images_BCZYX, draw)))
        rows = self._replica.rows(len(batch))
        self.network.train()
        loss, accuracy = self._losses(view_BCZYX[rows].to(self._device), self._labels[batch[rows]].to(self._device))
        figures = self._replica.means(loss=loss, accuracy=accuracy)
        check_finite(self.name, index, figures["loss"])
        self._adam.step(loss, index)
        return figures

    def _compute(self, view_BCZYX: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
        maps_BFZYX = self.network.maps(view_BCZYX)
        logits_BK = self._head(self.network.means(maps_BFZYX, view_BCZYX, pool=1))
        loss = nn.functional.cross_entropy(logits_BK, labels_B, label_smoothing=SMOOTHING)
        return loss, (logits_BK.argmax(1) == labels_B).float().mean()

    def state(self) -> dict[str, Tensor]:
        return self._adam.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)


def check_labels(labels: Array, images: int, classes: int) -> None:
    """Raises SettingsError for labels that no classifier of so many classes can be trained on."""
    found = np.unique(labels)
    if len(labels) != images or len(found) < 2 or found[0] < 0 or found[-1] >= classes:
        raise SettingsError(
            f"{len(labels)} labels of the classes {found.tolist()} were given for {images} images and {classes} classes: a "
            "classifier is trained on one label from 0 an image, of two classes or more."
        )


def fit_head(network: Classifier, features_NF: Array, labels: Array) -> None:
    """Set the last layer to the linear discriminant of these features (`features_of`); classes are equally likely.

    A class without images is never named. No random numbers are drawn.
    """
    check_labels(labels, len(features_NF), network.classes)
    weights_KF, bias_K = linear_discriminant(features_NF, labels, network.classes)
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(weights_KF))
        network.head.bias.copy_(torch.from_numpy(bias_K))


@torch.inference_mode()
def features_of(network: Classifier, images: Patches, batch: int = 4) -> Array:
    """What the last layer sees of whole unchanged images (N, F), float32; the last batch is padded, so that each row depends
    on its image alone."""
    network.eval()
    device = next(network.parameters()).device
    rows: list[Array] = []
    for index in in_order(len(images), batch):
        seen = to_float(images[index]).to(device)
        padded = torch.cat([seen, seen[-1:].expand(batch - len(index), *seen.shape[1:])])
        rows.append(network.features(padded)[: len(index)].float().cpu().numpy())
    return np.concatenate(rows)


@torch.inference_mode()
def probabilities_of(network: Classifier, features_NF: Array) -> Array:
    """Probability of each class (N, K), float32, of images whose features these are."""
    network.eval()
    features = torch.from_numpy(np.asarray(features_NF, np.float32)).to(network.head.weight.device)
    return network.head(features).softmax(1).cpu().numpy().astype(np.float32)  # type: ignore[no-any-return]


def train_classifier(
    network: Classifier, images: Patches, labels: Array, plan: ClassificationPlan, *, seed: int = 0
) -> Classifier:
    """Train the blocks, fit the last layer, and return the network in evaluation mode.

    >>> images = np.tile(np.arange(8, dtype=np.float32)[:, None, None, None] % 2, (1, 1, 16, 16)) * 0.5 + 0.25
    >>> network = Classifier(2, axes=2, widths=(8, 8))
    >>> network = train_classifier(network, images, np.arange(8) % 2, ClassificationPlan(steps=1, batch=4))
    >>> probabilities_of(network, features_of(network, images)).argmax(1).tolist()
    [0, 1, 0, 1, 0, 1, 0, 1]
    """
    train_phase(Classification(network, images, labels, plan, seed=seed))
    fit_head(network, features_of(network, images), labels)
    return network.eval()


def box_for(shape: Sequence[int], side: int) -> tuple[int, ...]:
    """The sides of the box that a step computes on: `side` along each axis, or the image's own where it is shorter."""
    return tuple(min(side, n) for n in shape)
