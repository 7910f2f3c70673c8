"""gradcam: maps of the evidence for a class, from the last maps of a classifier.

```text
evidence = ReLU( sum over maps of  map x gradient of the class's logit )      one number a cell of the maps
```
Grad-CAM (Selvaraju et al., ICCV 2017) takes the mean of a map's gradient over all cells. The classifier's last layer may weigh
a map differently in each part of the image, and a mean would add such weights up to nothing; so each cell keeps its own
gradient (HiResCAM, Draelos and Carin 2020). Where the last layer reads one mean of each map, the two are the same. A map
of a masked network is multiplied by the share of the cell that lies inside, as the network does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..networks.classifier import Classifier
from ..networks.film_network import FilmNetwork

Array = npt.NDArray[Any]


class LastMaps(nn.Module):
    """The classifier behind its blocks: weighted maps (B, F, *cells) -> logits; `maps` is the layer that is explained."""

    def __init__(self, network: Classifier | FilmNetwork, inside_B1ZYX: Tensor | None) -> None:
        super().__init__()
        self.maps = nn.Identity()
        self._network, self._inside = network, inside_B1ZYX

    def forward(self, weighted_BFZYX: Tensor) -> Tensor:
        return self._network.logits_of_maps(self.maps(weighted_BFZYX), self._inside)


def evidence_maps(
    network: Classifier | FilmNetwork, images_BCZYX: Tensor, classes: Sequence[int] | None = None
) -> tuple[Array, Array]:
    """(evidence (B, *cells) float32, logits (B, K)) for a class of each image; without `classes`, for the one it is given to.

    Cells of a `Classifier` are 2**blocks pixels or voxels wide, the first at the origin; those at the end that fill none have
    no evidence. Those of a network of films are its side over `cells` wide.
    """
    from captum.attr import LayerGradientXActivation

    network.eval()
    with torch.no_grad():
        maps_BFZYX = network.maps(images_BCZYX)
        inside = network.inside(images_BCZYX, maps_BFZYX.shape[2:])
        weighted_BFZYX = maps_BFZYX if inside is None else maps_BFZYX * inside
        behind = LastMaps(network, inside)
        logits_BK = behind(weighted_BFZYX)
    targets = logits_BK.argmax(1) if classes is None else torch.as_tensor(list(classes), device=logits_BK.device)
    explain = LayerGradientXActivation(behind, behind.maps)
    with torch.enable_grad():
        parts = explain.attribute(weighted_BFZYX.detach().requires_grad_(True), target=targets)
    assert isinstance(parts, Tensor)
    evidence_BZYX = parts.detach().sum(1).clamp_min(0.0)
    return evidence_BZYX.float().cpu().numpy(), logits_BK.float().cpu().numpy()


def spread(evidence: Array, side: int, matrix: Array, shape: Sequence[int]) -> Array:
    """Evidence interpolated to the cells of another grid, float32 of `shape`; 0 beyond the evidence.

    A cell of the evidence is `side` voxels wide. `matrix` (4 x 4, or 3 x 3 in a plane) takes the other grid's cells, as
    positions between their edges, to voxels of the network's input, as positions between their edges: the first voxel's centre
    is 0.5.
    """
    from scipy.ndimage import affine_transform

    axes = evidence.ndim
    turn = matrix[:axes, :axes] / side
    # the centre of cell i lies at i + 0.5 on the one grid, and at j + 0.5 on the other
    offset = matrix[:axes, axes] / side + turn @ np.full(axes, 0.5) - 0.5
    padded = np.pad(evidence, 1, mode="edge")  # up to the outer edges of the outer cells
    out = affine_transform(padded, turn, offset + 1, tuple(shape), order=1, mode="constant")
    return np.asarray(out.clip(0.0), np.float32)
