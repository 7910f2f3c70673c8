"""published_weights: VGG16's published convolutions from a user's file, with nothing in the file run.

```text
vgg16.safetensors   or a .pth file of tensors alone (torch.load with weights_only)
features.0.weight … features.28.bias      loaded
classifier.0.weight … classifier.6.bias   ImageNet's classes: left out, and said
```
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...errors import SettingsError
from ..networks.vgg16 import VGG16
from .checkpoint import CheckpointError, load_tensors

IGNORED = "classifier."
"""Beginning of the names of the published classifier's weights."""


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """What was read of a file."""

    loaded: tuple[str, ...]
    ignored: tuple[str, ...]
    """Weights of the published classifier: the network has a head of its own."""


def load_published(network: VGG16, path: Path) -> PublishedWeights:
    """Load the convolutions of a file into a network; its head keeps its weights.

    Raises SettingsError (E_WEIGHTS) for a file that cannot be read, is no table of tensors, or whose names or shapes are of
    another network, as those of vgg16_bn are.
    """
    tensors = read_tensors(path)
    state = network.state_dict()
    expected = {name for name in state if name.startswith("features.")}
    ignored = sorted(name for name in tensors if name.startswith(IGNORED))
    missing = sorted(expected - tensors.keys())
    unknown = sorted(tensors.keys() - expected - set(ignored))
    shapes = [
        f"{name} {tuple(tensors[name].shape)} for {tuple(state[name].shape)}"
        for name in sorted(expected & tensors.keys())
        if tensors[name].shape != state[name].shape
    ]
    problems = [
        f"{label}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
        for label, names in (("missing", missing), ("unknown", unknown), ("other shape", shapes))
        if names
    ]
    if problems:
        raise SettingsError(
            f"{path}: these weights are not those of vgg16 as torchvision names them: {'; '.join(problems)}. Use the file of "
            "vgg16 without batch norms.",
            code="E_WEIGHTS",
        )
    with torch.no_grad():
        for name in sorted(expected):
            state[name].copy_(tensors[name].float())
    return PublishedWeights(tuple(sorted(expected)), tuple(ignored))


_OF_DAMAGED = (
    AssertionError, AttributeError, EOFError, IndexError, KeyError, OSError, RuntimeError, TypeError, ValueError,
    pickle.UnpicklingError, struct.error, zipfile.BadZipFile,
)  # fmt: skip
"""What torch raises for damaged files."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a .pth or .pt file. Raises SettingsError (E_WEIGHTS)."""
    if path.suffix not in (".pth", ".pt"):
        try:
            return load_tensors(path)[0]
        except CheckpointError as error:  # a file that the user names is a setting, and not a result that was damaged
            raise SettingsError(error.message, code="E_WEIGHTS") from error
    try:
        content = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except _OF_DAMAGED as error:
        raise SettingsError(
            f"{path}: no weights could be read from it ({type(error).__name__}). A .pth file may hold tensors alone, since "
            "anything else in it would be run as code; convert it with safetensors.torch.save_file.",
            code="E_WEIGHTS",
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items()
    ):
        raise SettingsError(
            f"{path}: it holds {type(content).__name__} and not a table of tensors by name. Save the network's state dict.",
            code="E_WEIGHTS",
        )
    return dict(content)
