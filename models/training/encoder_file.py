"""encoder_file: a frozen encoder from a user's file of weights, trained elsewhere.

```text
encoder.safetensors   weights, named as timm (ViT) or torchvision (ResNet) name them
                      and the recipe as JSON: in the file's metadata under `recipe`, or in encoder.json beside it
{"architecture": "vit_small", "patch_size": 16, "input_size": 224, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
```
Nothing in the file is run: only safetensors are read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from ...errors import SettingsError
from ..networks.encoders import pretrained_of
from ..networks.resnet import ResNet
from ..networks.vit import VisionTransformer
from .checkpoint import CheckpointError, load_tensors, load_weights

UNNEEDED = ("head.", "fc.", "mask_token")
"""Beginnings of the names of weights that an encoder does without: a classifier's, and what only a training used."""
COUNTER = "num_batches_tracked"
"""Steps that a batch norm was trained for: part of torchvision's state dict, without use here, and often left out."""


def load_encoder(path: Path) -> tuple[VisionTransformer | ResNet, list[str]]:
    """(the encoder in evaluation mode, float32, without gradients; names of weights that it does without).

    Raises SettingsError where the file is not safetensors, has no recipe, or its weights are of another network.
    """
    try:
        return _loaded(path)
    except CheckpointError as error:  # a file that the user names is a setting, and not a result that was damaged
        raise SettingsError(error.message, code="E_ENCODER") from error


def _loaded(path: Path) -> tuple[VisionTransformer | ResNet, list[str]]:
    tensors, recipe = load_tensors(path)
    recipe = _beside(path) if recipe is None else recipe
    if "architecture" not in recipe:
        raise CheckpointError(
            f"{path}: its recipe names no architecture, so the network of these weights is not known. "
            "State one, such as vit_small or resnet50."
        )
    left_out = sorted(name for name in tensors if name.startswith(UNNEEDED))
    weights = {name: tensor.float() for name, tensor in tensors.items() if name not in left_out and COUNTER not in name}
    network = _built(recipe, weights)
    counters = {name: tensor for name, tensor in network.state_dict().items() if COUNTER in name}
    load_weights(network, {**counters, **weights}, path)
    return network.eval().requires_grad_(False), left_out


def _built(recipe: dict[str, Any], weights: dict[str, Tensor]) -> VisionTransformer | ResNet:
    """The network of a recipe; where that does not say whether blocks have scales, the weights do."""
    if recipe["architecture"] != "resnet50" and any(name.endswith(".ls1.gamma") for name in weights):
        recipe = {"layer_scale": True, **recipe}
    return pretrained_of(recipe)


def _beside(path: Path) -> dict[str, Any]:
    """The recipe in the JSON file beside the weights. Raises CheckpointError where there is none."""
    place = path.with_suffix(".json")
    try:
        recipe = json.loads(place.read_text())
    except OSError as error:
        raise CheckpointError(
            f"{path}: neither the file's metadata nor {place.name} beside it states the recipe of the network, so its "
            f"weights cannot be used ({error}). Write one: architecture, patch_size, input_size, mean, std.",
        ) from error
    except ValueError as error:
        raise CheckpointError(
            f"{place}: the recipe is not valid JSON ({error}). Correct it.", code="E_ENCODER"
        ) from error
    if not isinstance(recipe, dict):
        raise CheckpointError(f"{place}: the recipe must be a JSON object, got {recipe!r}.")
    return recipe
