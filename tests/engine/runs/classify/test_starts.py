"""Networks start from files of tensors alone, of their own kind; anything else is refused before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tile_engine.engine.runs.classify.plans import network_of, scratch_plan, stage_plan
from tile_engine.engine.runs.classify.settings import ClassifySettings
from tile_engine.engine.runs.classify.starts import load_weights_file
from tile_engine.errors import SettingsError
from tile_engine.models.training.checkpoint import save_checkpoint


def settings(path: Path, network: str = "film_resnet", side: int = 32) -> ClassifySettings:
    return ClassifySettings(network=network, side=side, weights=str(path))


def kept(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def test_the_blocks_of_another_run_are_loaded_and_its_head_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "final.safetensors"
    other = network_of(settings(path), 3, "other")
    save_checkpoint(path, other.state_dict(), other.recipe, kept)
    network = network_of(settings(path), 2, "own")
    head = network.head[1].weight.clone()
    assert "head" in load_weights_file(network, settings(path))
    assert torch.equal(network.layers[0][0][0].weight, other.layers[0][0][0].weight)
    assert torch.equal(network.head[1].weight, head)


def test_published_weights_are_loaded_from_a_pth_file_of_tensors(tmp_path: Path) -> None:
    own = settings(tmp_path / "vgg16.pth", "vgg16")
    other = network_of(own, 2, "other")
    tensors = {name: value for name, value in other.state_dict().items() if name.startswith("features.")}
    torch.save({**tensors, "classifier.0.weight": torch.zeros(2, 2)}, own.weights)
    network = network_of(own, 2, "own")
    assert load_weights_file(network, own).startswith("1 weights of the published classifier")
    assert torch.equal(network.features[0].weight, other.features[0].weight)


def test_files_that_are_missing_or_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(SettingsError, match="there is no file"):
        load_weights_file(network_of(settings(path), 2), settings(path))
    other = network_of(ClassifySettings(network="kurotaki2017"), 2)
    save_checkpoint(path, other.state_dict(), other.recipe, kept)
    with pytest.raises(SettingsError, match="another network than film_resnet") as error:
        load_weights_file(network_of(settings(path), 2), settings(path))
    assert error.value.code == "E_WEIGHTS"


def test_plans_grow_with_films_and_effort_and_the_source_keeps_its_epochs() -> None:
    assert scratch_plan(ClassifySettings(), 600).steps == 300
    assert scratch_plan(ClassifySettings(effort=2), 6400).steps == 6400
    source = scratch_plan(ClassifySettings(network="kurotaki2017"), 1280)
    assert (source.steps, source.batch, source.patience, source.smoothing) == (500, 128, 0, 0.0)
    assert stage_plan(ClassifySettings(), 51).batch == 16 and stage_plan(ClassifySettings(), 51).steps == 60
