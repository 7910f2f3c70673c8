"""Encoders: networks that turn patches into embeddings, and how a recipe rebuilds each.

A recipe without `architecture` is that of the autoencoder, which tile-engine trains itself, or of several that are nested.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import SettingsError
from .autoencoder import Autoencoder
from .nested import NestedAutoencoder, nested_of
from .preparation import IMAGENET_MEAN, IMAGENET_STD, Preparation
from .resnet import RESNET50, ResNet
from .vit import VisionTransformer

ARCHITECTURES: Mapping[str, Mapping[str, Any]] = {
    "vit_tiny": {"architecture": "vit", "width": 192, "depth": 12, "heads": 3},
    "vit_small": {"architecture": "vit", "width": 384, "depth": 12, "heads": 6},
    "vit_base": {"architecture": "vit", "width": 768, "depth": 12, "heads": 12},
    "vit_large": {"architecture": "vit", "width": 1024, "depth": 24, "heads": 16},
    "resnet50": {"architecture": "resnet", "blocks": RESNET50, "width": 64},
}
"""Names that a recipe may give as `architecture`, and the sizes behind them."""
FIELDS = {
    "vit": frozenset({"width", "depth", "heads", "patch_size", "layer_scale"}),
    "resnet": frozenset({"blocks", "width"}),
}
PREPARATION_FIELDS = frozenset({"input_size", "mean", "std"})


Trainable = Autoencoder | NestedAutoencoder
"""A network that tile-engine trains itself: it has `reconstruction_error` too, and can be fine-tuned."""
Encoder = Trainable | VisionTransformer | ResNet
"""A network from patches (B, C, Y, X) to embeddings: `encode`, `embedding_size`, `channels`, `axes` and `recipe`."""


def encoder_of(recipe: Mapping[str, Any]) -> Encoder:
    """The network of a recipe with initial weights. Raises SettingsError for an unknown architecture.

    >>> encoder_of({"architecture": "resnet", "blocks": [1, 1, 1, 1], "width": 2}).embedding_size
    64
    """
    if "nested" in recipe:
        return nested_of(recipe)
    return pretrained_of(recipe) if "architecture" in recipe else Autoencoder(**recipe)


def pretrained_of(recipe: Mapping[str, Any]) -> VisionTransformer | ResNet:
    """The network of a recipe that names an architecture, with initial weights. Raises SettingsError for an unknown one."""
    fields = {**recipe, **ARCHITECTURES.get(str(recipe["architecture"]), {})}
    kind = fields.pop("architecture")
    if kind not in FIELDS:
        raise SettingsError(
            f"the recipe of the encoder names the architecture {kind!r}, and its weights fit no other. "
            f"Known are {', '.join(ARCHITECTURES)}, vit and resnet.",
            code="E_ENCODER",
        )
    _check_fields(kind, fields)
    preparation = _preparation(fields)
    sizes = {name: value for name, value in fields.items() if name in FIELDS[kind]}
    if kind == "resnet":
        return ResNet(**{**sizes, "blocks": tuple(sizes.get("blocks", RESNET50))}, preparation=preparation)
    return VisionTransformer(**sizes, preparation=preparation)


def is_frozen(encoder: Encoder) -> bool:
    """Whether an encoder came trained from elsewhere: it has no decoder and is not fine-tuned."""
    return not isinstance(encoder, Trainable)


def _check_fields(kind: str, fields: Mapping[str, Any]) -> None:
    unknown = sorted(fields.keys() - FIELDS[kind] - PREPARATION_FIELDS)
    missing = sorted({"width", "depth", "heads"} - fields.keys()) if kind == "vit" else []
    size, square = fields.get("input_size", 224), fields.get("patch_size", 16)
    problems = [f"it does not know {', '.join(unknown)}"] if unknown else []
    problems += [f"it lacks {', '.join(missing)}"] if missing else []
    if kind == "vit" and not missing and size % square:
        problems.append(f"an input of {size} pixels does not divide into squares of {square}")
    problems += [f"{name} needs three numbers" for name in ("mean", "std") if len(fields.get(name, (0, 0, 0))) != 3]
    if 0 in fields.get("std", ()):
        problems.append("a standard deviation is 0")
    if problems:
        raise SettingsError(
            f"the recipe of an encoder of architecture {kind} cannot be used: {'; '.join(problems)}. "
            f"Its fields are architecture, {', '.join(sorted(FIELDS[kind] | PREPARATION_FIELDS))}.",
            code="E_ENCODER",
        )


def _preparation(fields: Mapping[str, Any]) -> Preparation:
    mean, std = fields.get("mean", IMAGENET_MEAN), fields.get("std", IMAGENET_STD)
    return Preparation(int(fields.get("input_size", 224)), tuple(map(float, mean)), tuple(map(float, std)))
