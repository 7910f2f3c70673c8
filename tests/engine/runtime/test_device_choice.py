"""The device: what was asked for, else what the run began with, else GPUs where every worker has one that works."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from tile_engine.engine.compute.gpus import Gpu
from tile_engine.engine.pipeline.documents import write_run
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.pipeline.settings import settings_of
from tile_engine.engine.runs.cluster.settings import ClusterSettings
from tile_engine.engine.runtime import device_choice as choice
from tile_engine.engine.runtime.device_choice import with_device
from tile_engine.engine.workers.pool import WorkerPool
from tile_engine.engine.workers.preflight import WorkerRow
from tile_engine.errors import MachineError
from tile_engine.stores.folder import Folder


class Workers:
    """A client whose workers say what they are told to say of their cards."""

    def __init__(self, *answers: tuple[str, bool]) -> None:
        self._answers = dict(enumerate(answers))
        self.asked = 0

    def run(self, *_: Any, **__: Any) -> dict[int, tuple[str, bool]]:
        self.asked += 1
        return self._answers


def rows(*cards: str) -> list[WorkerRow]:
    return [WorkerRow(f"tcp://10.0.0.{i}:1", f"node{i}", 1, card) for i, card in enumerate(cards)]


def settle(
    folder: Path, cards: list[str], *answers: tuple[str, bool], **settings: Any
) -> tuple[str, str, Workers, list[Event]]:
    client, told = Workers(*answers), []
    pool = WorkerPool(map, len(cards), "", client)
    found = with_device(settings_of(settings, ClusterSettings), Folder(folder), pool, rows(*cards), told.append)
    return found.device, found.dtype, client, told


GOOD, OLD = ("", True), ("", False)


def test_every_worker_has_a_card_of_its_own_so_cuda_is_taken_and_said(tmp_path: Path) -> None:
    device, dtype, _, told = settle(tmp_path, ["A (GPU-1)", "A (GPU-2)"], GOOD, GOOD)
    assert (device, dtype) == ("cuda", "bf16")
    assert ["bf16" in event.text and "GPU" in event.text for event in told] == [True]


@pytest.mark.parametrize("cards", [["", ""], ["A (GPU-1)", ""], ["A (GPU-1)", "A (GPU-1)"]])
def test_with_a_card_missing_or_shared_it_is_the_cpu_and_no_card_is_opened(tmp_path: Path, cards: list[str]) -> None:
    device, dtype, client, told = settle(tmp_path, cards, GOOD, GOOD)
    assert (device, dtype, client.asked) == ("cpu", "float32", 0)
    (why,) = [event.text for event in told]
    expected = {0: "no GPU may be used", 1: "1 of 2 workers have no GPU", 2: "2 workers share 1 GPUs"}[
        sum(map(bool, cards))
    ]
    assert why.startswith("the network runs on the CPU: ") and expected in why


def test_a_card_that_torch_cannot_use_counts_as_none(tmp_path: Path) -> None:
    device, _, _, told = settle(tmp_path, ["A (GPU-1)", "A (GPU-2)"], GOOD, ("no kernels", False))
    assert device == "cpu" and ["no kernels" in event.text for event in told] == [True], "and the reason is said"


def test_bf16_is_a_matter_of_what_all_cards_have(tmp_path: Path) -> None:
    assert settle(tmp_path, ["A (GPU-1)", "B (GPU-2)"], GOOD, OLD)[:2] == ("cuda", "float32")
    assert settle(tmp_path, ["A (GPU-1)"], GOOD, dtype="float32")[:2] == ("cuda", "float32")


@pytest.mark.parametrize(
    ("cards", "answers", "said"),
    [(["A (GPU-1)", ""], [GOOD, GOOD], "node1"), (["A (GPU-1)"], [("driver too old", False)], "driver too old")],
)
def test_cuda_that_was_asked_for_and_cannot_be_had_is_refused(
    tmp_path: Path, cards: list[str], answers: list[tuple[str, bool]], said: str
) -> None:
    with pytest.raises(MachineError, match="--device cpu") as raised:
        settle(tmp_path, cards, *answers, device="cuda")
    assert raised.value.code == "E_NO_GPU" and raised.value.exit_status == 5 and said in raised.value.message


@pytest.mark.parametrize(
    ("begun", "given", "settled"),
    [
        ({"device": "cpu", "dtype": "float32"}, {}, ("cpu", "float32")),
        ({"device": "cpu", "dtype": "bf16"}, {}, ("cpu", "bf16")),
        ({"device": "cuda", "dtype": "float32"}, {}, ("cuda", "float32")),
        ({"device": "cpu", "dtype": "float32"}, {"device": "cuda"}, ("cuda", "bf16")),
        ({"device": "auto", "dtype": "auto"}, {}, ("cuda", "bf16")),  # converted, and nothing trained yet
    ],
)
def test_a_run_keeps_what_it_began_with_unless_told_otherwise(
    tmp_path: Path, begun_run: Any, begun: dict[str, str], given: dict[str, str], settled: tuple[str, str]
) -> None:
    write_run(Folder(tmp_path), begun_run(settings=begun))
    assert settle(tmp_path, ["A (GPU-1)"], GOOD, **given)[:2] == settled


def test_a_process_that_works_alone_looks_at_its_own_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, folder = WorkerPool(map, 1, ""), Folder(tmp_path)
    monkeypatch.setattr(choice, "gpus", lambda: ())
    assert with_device(ClusterSettings(), folder, alone, (), lambda _: None).device == "cpu"
    with pytest.raises(MachineError, match="1 of 1 workers"):
        with_device(ClusterSettings(device="cuda"), folder, alone, (), lambda _: None)
    monkeypatch.setattr(choice, "gpus", lambda: (Gpu("A", "GPU-1"),))
    monkeypatch.setattr("tile_engine.engine.compute.gpu_stream.gpu_readiness", lambda: ("", True))
    assert with_device(ClusterSettings(), folder, alone, (), lambda _: None).device == "cuda"


def test_what_goes_without_saying_decides_nothing_new() -> None:
    """Fingerprints of runs on a CPU are those of versions that knew no other device."""
    fields = ("step", "dtype", "device")
    said = {"step": 64, "dtype": "float32"}
    assert ClusterSettings().deciding(fields) == ClusterSettings(device="cpu", dtype="float32").deciding(fields) == said
    assert ClusterSettings(device="cuda", dtype="bf16").deciding(fields) == {
        "step": 64,
        "dtype": "bf16",
        "device": "cuda",
    }
    training = ("early_stop", "trains_in")
    assert ClusterSettings().deciding(training) == {}
    assert ClusterSettings(training_dtype="bf16").deciding(training) == {"trains_in": "bf16"}


def test_the_command_line_refuses_a_device_that_is_not_there(mini: Any, tmp_path: Path) -> None:
    without = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = mini.cli(*mini.again(tmp_path / "out")[3:], "--device", "cuda", env=without)
    assert done.returncode == 5 and "[E_NO_GPU]" in done.stderr and "--device cpu" in done.stderr
    assert not (tmp_path / "out" / "slides").exists()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_main_job_runs_on_a_gpu_end_to_end(mini: Any, tmp_path: Path) -> None:
    command = [*mini.again(tmp_path / "out"), "--device", "cuda"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["settings"]["device"] == "cuda" and run["status"] == "done"
    assert mini.results(tmp_path / "out").keys() == mini.results(mini.out).keys()
