"""A run with an encoder that was trained elsewhere: its embeddings are that encoder's, and the run no longer needs the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from tile_engine.engine.runs.cluster.documents import KEPT_FROZEN
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.autoencoder import load_autoencoder
from tile_engine.errors import SettingsError
from tile_engine.models.networks.autoencoder import to_float
from tile_engine.models.networks.encoders import pretrained_of
from tile_engine.stores.array import StoredArray

RECIPE = {"architecture": "resnet", "blocks": [1, 1, 1, 1], "width": 2, "input_size": 64}


def encoder_file(folder: Path) -> Path:
    draw = torch.Generator().manual_seed(0)
    network = pretrained_of(RECIPE)
    for parameter in network.parameters():
        parameter.data.copy_(torch.rand(parameter.shape, generator=draw) * 0.5)
    path = folder / "encoder.safetensors"
    safetensors.torch.save_file({**network.state_dict(), "fc.weight": torch.zeros(3, 64)}, path)
    path.with_suffix(".json").write_text(json.dumps(RECIPE))
    return path


def test_tiles_are_embedded_by_the_encoder_of_the_file(finished: Callable[..., Any], tmp_path: Path) -> None:
    path = encoder_file(tmp_path)
    run = finished("embed", "slide-tiles").again(tmp_path / "out", settings={"encoder": str(path)})
    assert run.status == "done"
    job = load(run.out)
    network = load_autoencoder(job)
    assert network.recipe()["architecture"] == "resnet" and network.embedding_size == 64
    assert run.layers("embedding")[run.slides[0]].sizes["c"] == 64
    patches = StoredArray.open(job.folder.samples / "patches").read_all()[:4]
    with torch.inference_mode():
        embeddings = network.encode(to_float(patches)).numpy()
    assert np.ptp(embeddings, axis=0).max() > 0
    record = json.loads((run.out / "models" / "autoencoder.json").read_text())
    assert record["history"] == [] and record["recipe"]["input_size"] == 64
    weights = {name: 2 * values for name, values in safetensors.torch.load_file(path).items()}
    safetensors.torch.save_file(weights, path)  # edited in place: neither settings nor images say so
    with pytest.raises(SettingsError, match="has other content") as refused:
        finished("embed", "slide-tiles").again(run.out, settings={"encoder": str(path)})
    said = next(line for line in refused.value.message.splitlines() if "the same; " in line)
    assert said.split("; ")[1].startswith(f"{path} has other content than when the run began, or the version of"), said


def test_an_encoder_that_does_not_load_is_refused_before_any_work(finished: Callable[..., Any], tmp_path: Path) -> None:
    path, run = encoder_file(tmp_path), finished("embed", "slide-tiles")
    path.with_suffix(".json").write_text(json.dumps({**RECIPE, "width": 4}))
    with pytest.raises(SettingsError, match="of another network"):
        run.again(tmp_path / "out", settings={"encoder": str(path)})
    assert not list((tmp_path / "out").rglob("*.zarr"))
    with pytest.raises(SettingsError, match="there is no file"):
        run.again(tmp_path / "out", settings={"encoder": str(tmp_path / "none.safetensors")})


def test_tissue_is_clustered_in_the_embeddings_of_the_encoder(finished: Callable[..., Any], tmp_path: Path) -> None:
    path, run = encoder_file(tmp_path), finished("cluster", "slides")
    settings = {"encoder": str(path), "objective": "imsat"}
    found = run.again(run.copy(tmp_path / "out"), settings=settings, redo=True, stages=("train",))
    record = json.loads((found.out / "models" / "fine_tuned.json").read_text())
    assert record["guards"]["kept"] == KEPT_FROZEN
    assert record["recipe"]["autoencoder"]["architecture"] == "resnet"
