"""Checkpoint: weights and the recipe that rebuilds their network, in one safetensors file; loading never runs code.

The same tensors and recipe give the same bytes. The caller passes the function that writes them, whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from ...errors import CorruptError


class CheckpointError(CorruptError):
    """A file of weights that is damaged, or belongs to another network."""

    code = "E_CHECKPOINT"


Write = Callable[[Path, bytes], object]
"""Writes bytes to a path, all of them or none."""


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], recipe: Mapping[str, Any], write: Write) -> str:
    """Write a checkpoint; returns the sha256 of the file. `recipe` holds JSON values."""
    # One metadata key only: safetensors writes several keys in no fixed order.
    metadata = {"recipe": json.dumps(recipe, sort_keys=True, separators=(",", ":"))}
    ordered = {name: tensors[name].detach().contiguous() for name in sorted(tensors)}
    data = safetensors.torch.save(ordered, metadata)
    write(path, data)
    return hashlib.sha256(data).hexdigest()


def load_checkpoint(path: Path, sha256: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, recipe). Raises CheckpointError if the file is not safetensors, is truncated, or has another sha256."""
    tensors, recipe = load_tensors(path, sha256)
    if recipe is None:
        raise CheckpointError(
            f"{path}: these weights state no recipe, so they are not a checkpoint of tile-engine, and their network is not "
            "known. Restore the file, or train again."
        )
    return tensors, recipe


def load_tensors(path: Path, sha256: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """(tensors, recipe) of any safetensors file; None where it states no recipe. Raises CheckpointError as above."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: the checkpoint cannot be read: {error}") from error
    if sha256 is not None and (actual := hashlib.sha256(data).hexdigest()) != sha256:
        raise CheckpointError(
            f"{path}: sha256 is {actual}, {sha256} was expected: the file was changed after it was written. "
            "Restore it, or train again."
        )
    try:
        tensors = safetensors.torch.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        stated = header.get("__metadata__", {}).get("recipe")
        recipe = None if stated is None else json.loads(stated)
    except (safetensors.SafetensorError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: not a file of safetensors but {_content(data)} ({error}). Weights are read from safetensors "
            "files only, because pickles can run code; convert it with safetensors.torch.save_file."
        ) from error
    return tensors, recipe


def load_weights(network: nn.Module, tensors: Mapping[str, Tensor], path: Path | str = "checkpoint") -> None:
    """Load tensors into a network. Raises CheckpointError that names the keys and shapes that do not match."""
    state = network.state_dict()
    missing_names = sorted(state.keys() - tensors.keys())
    unknown_names = sorted(tensors.keys() - state.keys())
    shapes = [
        f"{name} {tuple(tensors[name].shape)} for {tuple(state[name].shape)}"
        for name in sorted(state.keys() & tensors.keys())
        if tensors[name].shape != state[name].shape
    ]
    if missing_names or unknown_names or shapes:
        problems = [
            f"{label}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
            for label, names in (("missing", missing_names), ("unknown", unknown_names), ("other shape", shapes))
            if names
        ]
        raise CheckpointError(f"{path}: these weights are of another network: {'; '.join(problems)}.")
    with torch.no_grad():
        network.load_state_dict(dict(tensors))


def _content(data: bytes) -> str:
    if data[:2] == b"PK" or data[:1] == b"\x80":
        return "a pickle"
    return "empty" if not data else "something else or cut off"
