"""A user's file of weights becomes a frozen encoder, or the error says what is missing."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from tile_engine.errors import SettingsError
from tile_engine.models.networks.encoders import pretrained_of
from tile_engine.models.training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from tile_engine.models.training.encoder_file import load_encoder
from tile_engine.stores.files import write_whole

VIT = {"architecture": "vit", "width": 8, "depth": 1, "heads": 2, "patch_size": 8, "input_size": 16}
RESNET = {"architecture": "resnet", "blocks": [1, 1, 1, 1], "width": 2, "input_size": 32, "mean": [0.5] * 3}


def weights(recipe: dict[str, Any], **changes: Any) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    state = pretrained_of({**recipe, **changes}).state_dict()
    return {n: torch.rand(t.shape, generator=draw) if t.is_floating_point() else t for n, t in state.items()}


@pytest.mark.parametrize("recipe", [VIT, RESNET])
@pytest.mark.parametrize("beside", [False, True])
def test_weights_and_recipe_make_an_encoder(tmp_path: Path, recipe: dict[str, Any], beside: bool) -> None:
    path, tensors = tmp_path / "encoder.safetensors", weights(recipe)
    metadata = {"format": "pt"} if beside else {"recipe": json.dumps(recipe)}
    safetensors.torch.save_file(tensors, path, metadata)
    if beside:
        path.with_suffix(".json").write_text(json.dumps(recipe))
    network, left_out = load_encoder(path)
    assert not left_out and not network.training
    assert not any(p.requires_grad for p in network.parameters())
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in network.state_dict().items())
    assert network.encode(torch.rand(2, 3, 64, 64)).shape == (2, network.embedding_size)


def test_the_classifier_is_left_out_and_said_and_half_precision_becomes_float(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    tensors = {**weights(RESNET), "fc.weight": torch.zeros(5, 64), "fc.bias": torch.zeros(5)}
    half = {n: t.half() for n, t in tensors.items() if "num_batches_tracked" not in n}
    safetensors.torch.save_file(half, path, {"recipe": json.dumps(RESNET)})
    network, left_out = load_encoder(path)
    assert left_out == ["fc.bias", "fc.weight"]
    assert all(p.dtype == torch.float32 for p in network.parameters())


def test_scales_of_blocks_are_seen_in_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    safetensors.torch.save_file(weights(VIT, layer_scale=True), path, {"recipe": json.dumps(VIT)})
    assert load_encoder(path)[0].recipe()["layer_scale"] is True


def test_an_encoder_is_kept_in_a_checkpoint_of_ours(tmp_path: Path) -> None:
    source, kept = tmp_path / "encoder.safetensors", tmp_path / "autoencoder.safetensors"
    safetensors.torch.save_file(weights(VIT), source, {"recipe": json.dumps(VIT)})
    network, _ = load_encoder(source)
    save_checkpoint(kept, network.state_dict(), network.recipe(), write_whole)
    tensors, recipe = load_checkpoint(kept)
    again = pretrained_of(recipe).eval()
    load_weights(again, tensors)
    patches = torch.rand(2, 3, 24, 24)
    assert torch.equal(again.encode(patches), network.encode(patches))


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(SettingsError, match="a pickle"):
        load_encoder(path)
    safetensors.torch.save_file(weights(VIT), path)
    with pytest.raises(SettingsError, match=r"neither .* nor encoder\.json beside it"):
        load_encoder(path)
    path.with_suffix(".json").write_text("[1]")
    with pytest.raises(SettingsError, match="must be a JSON object"):
        load_encoder(path)
    path.with_suffix(".json").write_text("{")
    with pytest.raises(SettingsError, match="not valid JSON"):
        load_encoder(path)
    path.with_suffix(".json").write_text(json.dumps({"input_size": 16}))
    with pytest.raises(SettingsError, match="names no architecture") as caught:
        load_encoder(path)
    assert caught.value.code == "E_ENCODER"
    path.with_suffix(".json").write_text(json.dumps({"architecture": "swin"}))
    with pytest.raises(SettingsError, match="architecture 'swin'"):
        load_encoder(path)
    path.with_suffix(".json").write_text(json.dumps({**VIT, "depth": 2}))
    with pytest.raises(SettingsError, match=r"missing: blocks\.1\.attn"):
        load_encoder(path)
