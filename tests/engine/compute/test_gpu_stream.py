"""Card: batches through a network on one device; here a CPU through the same code, and a GPU where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tile_engine.engine.compute import gpu_stream as card
from tile_engine.engine.compute.gpu_stream import GpuStream, is_gpu_failure, prepare_device
from tile_engine.engine.compute.patch_network import PatchNetwork, _cells
from tile_engine.errors import MachineError
from tile_engine.models.networks.autoencoder import Autoencoder
from tile_engine.models.networks.cluster_heads import ClusterHead
from tile_engine.models.networks.clusterer import Clusterer

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As each batch of a unit has on a CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(**options: str) -> PatchNetwork:
    clusterer = Clusterer(Autoencoder(patch=32, embedding_size=16), ClusterHead(16, 5)).eval()
    return PatchNetwork(clusterer.autoencoder, 32, 16, **options, clusterer=clusterer)


def batches(count: int, size: int = 32, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, size, 3, 32, 32), np.uint8))


def means(batch: Tensor) -> dict[str, Tensor]:
    """The cheapest network: the mean of each patch."""
    return {"mean": batch.float().mean((1, 2, 3))}


def with_room_for(most: int, sizes: list[int]) -> Callable[[Tensor], dict[str, Tensor]]:
    """The same on a card that holds `most` patches at a time."""

    def look(batch: Tensor) -> dict[str, Tensor]:
        sizes.append(len(batch))
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return means(batch)

    return look


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_card_answers_as_the_network_does_alone_in_order(count: int) -> None:
    net, given = network(), batches(count)
    found = [_cells(rows) for rows in GpuStream(net.look, CPU).answers(iter(given))]
    wanted = list(net(iter(given)))
    assert len(found) == len(wanted) == count
    for a, b in zip(found, wanted, strict=True):
        assert a.keys() == net.outputs.keys()
        for name, (channels, dtype) in net.outputs.items():
            assert a[name].dtype == dtype and a[name].shape == (32, channels, 1, 1)
            np.testing.assert_array_equal(a[name], b[name])


def test_the_next_batch_is_on_its_way_before_an_answer_is_waited_for() -> None:
    asked: list[int] = []

    def counted() -> Iterator[np.ndarray]:
        for i, batch in enumerate(batches(4)):
            asked.append(i)
            yield batch

    answers = GpuStream(means, CPU).answers(counted())
    next(answers)
    assert asked == [0, 1]


def test_a_unit_that_is_given_up_leaves_the_card_to_the_next() -> None:
    made = GpuStream(means, CPU)
    answers = made.answers(iter(batches(4)))
    next(answers)
    answers.close()
    given = batches(3, seed=1)
    found = [rows["mean"] for rows in made.answers(iter(given))]
    np.testing.assert_allclose(found, [batch.mean((1, 2, 3)) for batch in given], rtol=1e-5)


def test_short_memory_halves_what_is_looked_at_together_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    sizes: list[int] = []
    made, given = GpuStream(with_room_for(40, sizes), CPU), batches(4, size=128)
    found = [rows["mean"] for rows in made.answers(iter(given))]
    np.testing.assert_allclose(found, [batch.mean((1, 2, 3)) for batch in given], rtol=1e-5)
    assert made.size == 32 and sizes[:3] == [128, 64, 32] and set(sizes[3:]) == {32}
    said = [record.getMessage() for record in caplog.records]
    assert [text for text in said if "memory is short" in text] == [
        "GPU memory is short: 32 patches are computed at a time"
    ]


def test_too_little_memory_for_16_patches_ends_the_run() -> None:
    sizes: list[int] = []
    with pytest.raises(MachineError, match="16 patches at a time") as raised:
        list(GpuStream(with_room_for(8, sizes), CPU).answers(iter(batches(1, size=64))))
    assert raised.value.code == "E_GPU_MEMORY" and sizes == [64, 32, 16]


@pytest.mark.parametrize(
    "text",
    ["CUDA error: device-side assert triggered", "CUDA error: unspecified launch failure", "uncorrectable ECC error"],
)
def test_in_the_runs_own_process_a_failing_card_ends_the_run(text: str) -> None:
    def fails(batch: Tensor) -> dict[str, Tensor]:
        raise RuntimeError(text)

    with pytest.raises(MachineError, match="nvidia-smi") as raised:
        list(GpuStream(fails, CPU).answers(iter(batches(1))))
    assert raised.value.code == "E_GPU_FAILED"


@pytest.mark.parametrize(
    ("error", "its_own"),
    [
        (RuntimeError("CUDA error: an illegal memory access was encountered"), True),
        (torch.AcceleratorError("GPU has fallen off the bus"), True),
        (RuntimeError("CUDA error: out of memory"), False),
        (RuntimeError("CUDA error: operation not permitted when stream is capturing"), False),
        (RuntimeError("NCCL error in: ProcessGroupNCCL.cpp, unhandled cuda error"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (torch.OutOfMemoryError("CUDA out of memory"), False),
    ],
)
def test_what_is_the_cards_own_fault(error: RuntimeError, its_own: bool) -> None:
    assert is_gpu_failure(error) is its_own


@pytest.mark.timeout(120)
def test_the_worker_of_a_failing_card_leaves_and_its_units_move(tmp_path: Any) -> None:
    from distributed import Client, LocalCluster

    def unit(number: int) -> str:
        """Within: goes to workers that cannot import this file."""
        import numpy
        import torch
        from distributed import get_worker

        from tile_engine.engine.compute.gpu_stream import GpuStream

        worker = get_worker()

        def look(batch: torch.Tensor) -> dict[str, torch.Tensor]:
            if worker.name == 0:
                raise RuntimeError("CUDA error: uncorrectable ECC error encountered")
            return {"mean": batch.float().mean(1)}

        list(GpuStream(look, torch.device("cpu")).answers(iter([numpy.zeros((16, 4), "uint8")])))
        return str(worker.name)

    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "memory_limit": 0, "silence_logs": 50}
    with LocalCluster(**options, dashboard_address=None) as cluster, Client(cluster, set_as_default=False) as client:
        futures = client.map(unit, range(4), pure=False, retries=2)
        assert set(client.gather(futures)) == {"1"}
        assert [worker["name"] for worker in client.scheduler_info()["workers"].values()] == [1]


def test_a_process_without_a_card_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert prepare_device("cpu") == prepare_device("auto") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MachineError, match="--device cpu") as raised:
        prepare_device("cuda")
    assert raised.value.code == "E_NO_GPU"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", ["float32", "bf16"])
@pytest.mark.parametrize("graphs", [True, False])
def test_a_gpu_gives_the_labels_of_the_cpu_but_for_ties(dtype: str, graphs: bool) -> None:
    given = batches(9, size=128)
    wanted = list(network()(iter(given)))
    net = network(dtype=dtype)
    device = prepare_device("cuda")
    net.clusterer.to(device)
    made = GpuStream(net.look, device, graphs=graphs)
    found = [_cells(rows) for rows in made.answers(iter(given))]
    same, close = [], []
    for a, b in zip(found, wanted, strict=True):
        same.append((a["assignment"] == b["assignment"]).mean())
        close.append(np.abs(a["confidence"] - b["confidence"]).max())
    assert np.mean(same) >= (0.999 if dtype == "float32" else 0.98)
    assert max(close) < (1e-4 if dtype == "float32" else 0.02)
    assert made._graphs is graphs  # a graph was captured where one was asked for


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_with_little_memory_looks_at_fewer_patches_at_a_time() -> None:
    device = prepare_device("cuda")
    net = network()
    net.clusterer.to(device)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory

    def greedy(batch: Tensor) -> dict[str, Tensor]:
        torch.empty(len(batch) * 2**20, dtype=torch.uint8, device=batch.device)  # 1 MiB a patch
        return net.look(batch)

    room = torch.cuda.memory_reserved(device) + 100 * 2**20
    torch.cuda.set_per_process_memory_fraction(room / total, device)
    try:
        made = GpuStream(greedy, device, graphs=False)
        found = [rows["assignment"] for rows in made.answers(iter(batches(3, size=128)))]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    assert len(found) == 3 and card.MIN_PATCHES_AT_ONCE <= made.size < 128
