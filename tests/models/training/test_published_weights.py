"""Published weights of VGG16: read from safetensors and from tables of tensors, never from code."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from tile_engine.errors import SettingsError
from tile_engine.models.networks.vgg16 import VGG16
from tile_engine.models.training.published_weights import load_published


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """Convolutions that are filled with their number, and two layers of a classifier (not the published sizes)."""
    shapes = {k: t.shape for k, t in VGG16(side=32, inner=8).state_dict().items() if k.startswith("features.")}
    tensors = {name: torch.full(shape, float(number)) for number, (name, shape) in enumerate(shapes.items())}
    return {**tensors, "classifier.0.weight": torch.zeros(4, 4), "classifier.6.bias": torch.zeros(4)}


@pytest.mark.parametrize("name", ["vgg16.safetensors", "vgg16.pth"])
def test_the_convolutions_are_loaded_and_the_classifier_is_said_to_be_left_out(
    tmp_path: Path, published: dict[str, Tensor], name: str
) -> None:
    save = safetensors.torch.save_file if name.endswith("safetensors") else torch.save
    save(published, tmp_path / name)
    network = VGG16(side=32, inner=8)
    head = network.head[0].weight.clone()
    weights = load_published(network, tmp_path / name)
    assert weights.ignored == ("classifier.0.weight", "classifier.6.bias") and len(weights.loaded) == 26
    assert network.features[28].bias[0].item() == 25.0 and torch.equal(head, network.head[0].weight)


def test_missing_unknown_and_other_shapes_are_named(tmp_path: Path, published: dict[str, Tensor]) -> None:
    wrong = {**published, "features.1.running_mean": torch.zeros(64), "features.2.bias": torch.zeros(3)}
    del wrong["features.0.weight"]
    safetensors.torch.save_file(wrong, tmp_path / "bn.safetensors")
    with pytest.raises(SettingsError) as caught:
        load_published(VGG16(side=32, inner=8), tmp_path / "bn.safetensors")
    message = caught.value.message
    assert "missing: features.0.weight" in message and "unknown: features.1.running_mean" in message
    assert r"features.2.bias (3,) for (64,)" in message and caught.value.code == "E_WEIGHTS"


class Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this ran",))


def test_a_file_that_holds_code_is_refused_and_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"features.0.weight": Code()}, tmp_path / "evil.pth")
    with pytest.raises(SettingsError, match="would be run as code"):
        load_published(VGG16(side=32, inner=8), tmp_path / "evil.pth")
    assert "this ran" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["no.pth", "no.safetensors"])
def test_files_that_are_none_are_refused(tmp_path: Path, name: str) -> None:
    network = VGG16(side=32, inner=8)
    with pytest.raises(SettingsError):
        load_published(network, tmp_path / name)
    (tmp_path / name).write_bytes(b"\x00 something else")
    with pytest.raises(SettingsError):
        load_published(network, tmp_path / name)


def test_a_file_of_one_tensor_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "one.pth")
    with pytest.raises(SettingsError, match="holds Tensor and not a table"):
        load_published(VGG16(side=32, inner=8), tmp_path / "one.pth")
