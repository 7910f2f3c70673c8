"""Checkpoints: the same bytes from the same weights, and a clear no to everything else."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from tile_engine.models.networks.autoencoder import Autoencoder
from tile_engine.models.training.checkpoint import CheckpointError, load_checkpoint, load_weights, save_checkpoint
from tile_engine.stores.files import write_whole

RECIPE = {"network": {"patch": 32, "widths": [8, 16], "embedding_size": 8}, "step": 3, "name": "µ"}


def test_a_checkpoint_comes_back_and_is_written_the_same_every_time(tmp_path: Path) -> None:
    net = Autoencoder(**RECIPE["network"])
    state = net.state_dict()
    first = save_checkpoint(tmp_path / "a.safetensors", state, RECIPE, write_whole)
    backwards = dict(reversed(list(state.items()))), dict(reversed(list(RECIPE.items())))
    second = save_checkpoint(tmp_path / "b.safetensors", *backwards, write_whole)
    assert first == second and (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    tensors, recipe = load_checkpoint(tmp_path / "a.safetensors", sha256=first)
    assert recipe == RECIPE
    again = Autoencoder(**recipe["network"])
    load_weights(again, tensors)
    assert all(torch.equal(value, state[key]) for key, value in again.state_dict().items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]


def test_pickles_are_refused_unopened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, ("raise SystemExit",)

    (tmp_path / "old.pt").write_bytes(pickle.dumps(Bomb()))
    torch.save({"a": torch.zeros(2)}, tmp_path / "zip.pt")
    for name in ("old.pt", "zip.pt"):
        with pytest.raises(CheckpointError, match="a pickle"):
            load_checkpoint(tmp_path / name)


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"a": torch.arange(50.0)}, {}, write_whole)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_a_changed_byte_is_found_by_its_sum(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    digest = save_checkpoint(path, {"a": torch.arange(50.0)}, {}, write_whole)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="sha256"):
        load_checkpoint(path, sha256=digest)


def test_weights_of_another_network_are_refused_by_name() -> None:
    net = Autoencoder(patch=32, widths=(8, 16), embedding_size=8)
    with pytest.raises(CheckpointError, match=r"to_code.weight \(9, 1024\) for \(8, 1024\)") as caught:
        load_weights(net, Autoencoder(patch=32, widths=(8, 16), embedding_size=9).state_dict())
    assert caught.value.code == "E_CHECKPOINT"
    with pytest.raises(CheckpointError, match=r"missing: .*unknown: other"):
        load_weights(net, {"other": torch.zeros(1)})
