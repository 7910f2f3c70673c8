"""GPUs: which there are is asked without a CUDA context; a driver that does not answer is as good as none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tile_engine.engine.compute.gpus import Gpu, gpus

SAYS = "GPU 0: NVIDIA H200 (UUID: GPU-1a)\nGPU 1: NVIDIA H200 (UUID: GPU-2b)\n"


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `nvidia-smi` that says what stands in the file `says`."""
    command = tmp_path / "nvidia-smi"
    command.write_text(f'#!/bin/sh\n[ "$1" = -L ] && cat {tmp_path}/says\n')
    command.chmod(0o755)
    (tmp_path / "says").write_text(SAYS)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def test_all_cards_of_the_driver_are_found_or_those_that_are_left_visible(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gpus() == (Gpu("NVIDIA H200", "GPU-1a"), Gpu("NVIDIA H200", "GPU-2b"))
    for left, found in {"1": ["GPU-2b"], "1,0": ["GPU-2b", "GPU-1a"], "": [], "-1": [], "0,7,1": ["GPU-1a"]}.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", left)
        assert [gpu.uuid for gpu in gpus()] == found, left


def test_no_driver_and_one_that_fails_are_no_gpus(driver: Path) -> None:
    (driver / "says").unlink()
    assert gpus() == ()
    (driver / "nvidia-smi").unlink()
    assert gpus() == ()


def test_asking_imports_neither_torch_nor_cuda(driver: Path) -> None:
    program = (
        "import sys; from tile_engine.engine.compute.gpus import gpus; assert len(gpus()) == 2; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "cupy", "numba", "pynvml", "dask_cuda"}


@pytest.mark.gpu
def test_a_card_that_works_has_no_fault() -> None:
    from tile_engine.engine.compute.gpus import gpu_fault

    if not gpus():
        pytest.skip("no GPU here")
    assert gpu_fault() == ""


@pytest.mark.gpu
@pytest.mark.timeout(300)
def test_a_worker_a_gpu_says_which_card_it_has(tmp_path: Path) -> None:
    from tile_engine.engine.workers.placement import ClusterOptions
    from tile_engine.engine.workers.pool import worker_pool
    from tile_engine.engine.workers.preflight import WorkerCheck, ask_workers

    if not gpus():
        pytest.skip("no GPU here")
    pytest.importorskip("dask_cuda")
    with worker_pool(ClusterOptions(cluster="cuda")) as found:
        rows = ask_workers(found.client, WorkerCheck(str(tmp_path), gpu=True))
    assert sorted(row.gpu for row in rows) == sorted(map(str, gpus()))
    assert not any(row.faults for row in rows)
