"""Gang: several ranks are one trainer, whatever becomes of one of them."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tile_engine.engine.workers import gang
from tile_engine.engine.workers.gang import check_gang, train_gang
from tile_engine.engine.workers.pool import WorkerPool
from tile_engine.errors import MachineError, SettingsError, UnfinishedError
from tile_engine.models.replica import SINGLE, Replica

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("cluster")]


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Three dask workers, each a process with a nanny that starts it again."""
    from distributed import Client, LocalCluster

    options = {"n_workers": 3, "threads_per_worker": 1, "processes": True, "host": "127.0.0.1", "memory_limit": 0}
    with (
        LocalCluster(**options, dashboard_address=None, silence_logs=50) as cluster,
        Client(cluster, set_as_default=False) as connected,
    ):
        yield connected


# What workers are given is defined within a function, so that it travels whole: workers cannot import this file.


def training(kind: str, device: str = "cpu") -> Callable[[Replica], tuple[list[dict[str, float]], dict[str, Any]]]:
    """Eight steps of a phase on stripes: figures of each, and the state at the end."""

    def work(replica: Replica) -> tuple[list[dict[str, float]], dict[str, Any]]:
        import numpy as np
        import torch

        from tile_engine.models.networks.autoencoder import Autoencoder
        from tile_engine.models.networks.cluster_heads import ClusterHead
        from tile_engine.models.networks.clusterer import Clusterer
        from tile_engine.models.training.finetune import FineTune
        from tile_engine.models.training.reconstruction import Reconstruction

        torch.set_num_threads(1)
        draw = np.random.default_rng(0)
        period = np.array([3, 5, 9, 16])[np.arange(96) % 4]
        stripes = 0.5 + 0.4 * np.sign(np.sin(2 * np.pi * np.arange(32) / period[:, None]))
        noisy = stripes[:, None, None, :] + draw.normal(0, 0.05, (96, 3, 32, 32))
        patches = (noisy.clip(0, 1) * 255).astype(np.uint8)
        network = Autoencoder(patch=32, widths=(8, 16), embedding_size=8)
        phase: Any
        if kind == "reconstruction":
            phase = Reconstruction(network.to(device), patches, 8, batch=32, seed=3, replica=replica)
        else:
            clusterer = Clusterer(network, ClusterHead(8, 4)).to(device)
            phase = FineTune(clusterer, patches, 8, kind, 1, replica=replica)  # type: ignore[arg-type]
        figures = [phase.step(index) for index in range(8)]
        return figures, {key: tensor.cpu().numpy() for key, tensor in phase.state().items()}

    return work


def follows(two: Any, one: Any) -> None:
    assert len(two[0]) == len(one[0]) == 8
    for found, wanted in zip(two[0], one[0], strict=True):
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-7)
    for key, wanted in one[1].items():
        # Adam divides a gradient by its own size, so the rounding of a small one weighs as a step
        torch.testing.assert_close(torch.from_numpy(two[1][key]), torch.from_numpy(wanted), rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("kind", ["reconstruction", "imsat", "iic"])
def test_two_ranks_follow_one_at_the_same_batch_and_order_to_rounding(client: Any, kind: str) -> None:
    follows(train_gang(client, training(kind), 2), training(kind)(SINGLE))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ["reconstruction", "imsat", "iic"])
def test_a_gpu_follows_the_cpu(kind: str) -> None:
    """The draws are those of the CPU, so that only rounding differs; it differs more here."""
    there, here = training(kind, "cuda")(SINGLE), training(kind)(SINGLE)
    for found, wanted in zip(there[0], here[0], strict=True):
        assert found == pytest.approx(wanted, rel=2e-2, abs=1e-3)


def fitting(folder: Path, steps: int = 12, die: str = "") -> Callable[[Replica], dict[str, Any]]:
    """A phase with a checkpoint every four steps. `die`: how rank 1 ends at its step 6, once; or its worker."""
    at = str(folder)

    def work(replica: Replica) -> dict[str, Any]:
        import os
        import time
        from pathlib import Path

        import numpy as np

        from tile_engine.engine.compute import fit as training
        from tile_engine.engine.pipeline.progress import ProgressFile
        from tile_engine.models.networks.autoencoder import Autoencoder
        from tile_engine.models.training.reconstruction import Reconstruction

        class Noted(Reconstruction):
            """Writes down its steps, and dies where it is told to."""

            def step(self, index: int) -> dict[str, float]:
                with (folder / f"rank{replica.rank}").open("a") as file:
                    file.write(f"{index}\n")
                mark = folder / "died"
                if die and replica.rank == 1 and index == 6 and not mark.exists():
                    mark.touch()
                    if die != "raised":
                        os.kill(os.getpid() if die == "killed" else os.getppid(), signal.SIGKILL)
                        time.sleep(60)
                    raise RuntimeError("connection lost")
                return super().step(index)

        training.STEPS_PER_CHECKPOINT = 4
        folder = Path(at)
        patches = np.random.default_rng(0).integers(0, 256, (48, 3, 32, 32), np.uint8)
        phase = Noted(Autoencoder(patch=32, widths=(8,), embedding_size=8), patches, steps, 12, seed=3, replica=replica)
        aside = training.CheckpointSlot(folder / "phase.safetensors", "key")
        record = training.fit(phase, aside, threads=1, progress_file=ProgressFile(folder), replica=replica)
        return {"record": record, "state": {k: v.numpy().tobytes() for k, v in phase.state().items()}}

    return work


def steps_of(folder: Path, rank: int) -> list[int]:
    return [int(line) for line in (folder / f"rank{rank}").read_text().split()]


@pytest.mark.parametrize(
    "die", ["killed", *(pytest.param(how, marks=pytest.mark.nightly) for how in ("worker killed", "raised"))]
)
def test_a_lost_rank_ends_in_the_model_of_an_undisturbed_gang(client: Any, tmp_path: Path, die: str) -> None:
    """Of three ranks, so that the order of sums would show."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    undisturbed = train_gang(client, fitting(tmp_path / "one"), 3)
    before = set(client.run(os.getpid).values())
    again = train_gang(client, fitting(tmp_path / "two", die=die), 3)
    assert again == undisturbed
    assert [row["step"] for row in again["record"]] == list(range(12))
    assert steps_of(tmp_path / "two", 1) == [*range(7), *range(4, 12)], "it went on from the checkpoint of step 4"
    assert len(before - set(client.run(os.getpid).values())) == (die == "worker killed")


def test_a_gang_that_is_lost_again_and_again_gives_up_and_can_go_on(client: Any, tmp_path: Path) -> None:
    at = str(tmp_path)

    def work(replica: Replica) -> None:
        from pathlib import Path

        import torch

        replica.gather(torch.ones(1))  # all have met: a rank that ends before that keeps the others from beginning
        if replica.rank:
            replica.gather(torch.ones(1))
        with (Path(at) / "tries").open("a") as file:
            file.write("x")
        raise RuntimeError("the network is down")

    with pytest.raises(UnfinishedError, match=r"4 times.*the network is down.*same command again") as caught:
        train_gang(client, work, 2)
    assert caught.value.code == "E_GANG_LOST" and caught.value.exit_status == 75
    assert (tmp_path / "tries").read_text() == "xxxx"


def test_an_error_that_says_what_is_wrong_is_not_tried_again(client: Any, tmp_path: Path) -> None:
    at = str(tmp_path)

    def work(replica: Replica) -> None:
        from pathlib import Path

        import torch

        from tile_engine.errors import SettingsError

        if replica.rank == 1:
            with (Path(at) / "tries").open("a") as file:
                file.write("x")
            raise SettingsError("that cannot work", "E_TEST")
        replica.gather(torch.zeros(1))  # waits for a rank that is gone

    with pytest.raises(SettingsError, match="that cannot work") as caught:
        train_gang(client, work, 2)
    assert caught.value.code == "E_TEST"
    assert (tmp_path / "tries").read_text() == "x"


def test_two_gangs_at_once_both_end(client: Any) -> None:
    """Each wants two of three workers of one thread: without a lock, each could sit on what the other waits for."""

    def work(replica: Replica) -> float:
        import time

        import torch

        for _ in range(3):
            total = replica.gather(torch.ones(1) * (replica.rank + 1)).sum()
            time.sleep(0.1)
        return float(total)

    answers: list[float] = []
    threads = [threading.Thread(target=lambda: answers.append(train_gang(client, work, 2))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert answers == [3.0, 3.0, 3.0]


def test_what_a_killed_run_held_is_given_back(client: Any) -> None:
    from distributed import Client, MultiLock

    def work(replica: Replica) -> int:
        return replica.count

    with Client(client.scheduler.address, set_as_default=False) as other:
        lock = MultiLock(gang._workers(client), client=other)
        lock.id = f"{other.id} {lock.id}"
        assert lock.acquire(timeout=1)
    assert train_gang(client, work, 2) == 2


def test_ranks_that_nobody_waits_for_any_more_end(client: Any, tmp_path: Path) -> None:
    """A run that was killed must not train on beside the one that took its place."""
    from distributed import Client

    endless = fitting(tmp_path, steps=10**6)

    def run(other: Any) -> None:
        with pytest.raises(BaseException):  # noqa: B017 - whatever a closed client raises
            train_gang(other, endless, 2)

    with Client(client.scheduler.address, set_as_default=False) as other:
        thread = threading.Thread(target=run, args=(other,), daemon=True)
        thread.start()
        until = time.monotonic() + 200
        while not (tmp_path / "rank1").exists() and time.monotonic() < until:
            time.sleep(0.05)
    assert (tmp_path / "rank1").exists()
    until = time.monotonic() + 200
    while time.monotonic() < until and any(client.processing().values()):
        time.sleep(0.2)
    assert train_gang(client, training("iic"), 2)[0], "their workers are free again"
    done = steps_of(tmp_path, 1)
    time.sleep(0.5)
    assert steps_of(tmp_path, 1) == done


def test_a_gang_larger_than_the_workers_is_refused_with_what_to_do() -> None:
    with pytest.raises(MachineError, match=r"--gang 2.*--cluster local --workers 2") as caught:
        check_gang(2, WorkerPool(map, 1, "this process"))
    assert caught.value.code == "E_GANG" and caught.value.exit_status == 5
    with pytest.raises(MachineError, match=r"--gang 4.*there are 3.*--workers 4"):
        check_gang(4, WorkerPool(map, 3, "workers", object()))
    check_gang(3, WorkerPool(map, 3, "workers", object()))
    check_gang(4, WorkerPool(map, 1, "workers that come one by one", object(), least=4))
    check_gang(1, WorkerPool(map, 1, "this process"))


def test_workers_that_are_threads_of_one_process_are_refused() -> None:
    from distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with (
        LocalCluster(**options) as cluster,
        Client(cluster, set_as_default=False) as inside,
        pytest.raises(MachineError, match="threads of one process") as caught,
    ):
        train_gang(inside, lambda replica: None, 2)
    assert caught.value.code == "E_GANG"


def test_a_batch_is_shared_evenly_or_not_at_all() -> None:
    replica = Replica(1, 3)
    assert replica.even(64) == 63 and SINGLE.even(64) == 64
    assert [Replica(r, 3).rows(6) for r in range(3)] == [slice(0, 2), slice(2, 4), slice(4, 6)]
    with pytest.raises(SettingsError, match=r"gang of 3 cannot share a batch of 2 patches.*--gang 2"):
        replica.even(2)


@pytest.mark.nightly
def test_the_command_line_trains_with_a_gang_and_goes_on_where_it_was(mini: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["run", "cluster", "--slides", mini.slides, "--out", out, *mini.args[:-2], "--effort", "0.005"]
    refused = mini.cli(*words, "--gang", "2", "--cluster", "none")
    assert refused.returncode == 5 and "[E_GANG]" in refused.stderr
    assert not (out / "slides").exists(), "nothing was begun"

    words += ["--cluster", "local", "--workers", "2"]
    done = mini.cli(*words, "--gang", "2")
    assert done.returncode == 0, done.stderr
    assert (out / "report.html").is_file()
    assert json.loads((out / "run.json").read_text())["settings"]["gang"] == 2
    assert mini.results(out, "slides", "samples.zarr/patches") != {}

    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.safetensors")} | {
        p: p.stat().st_mtime_ns for p in (out / "receipts").rglob("*.json")
    }
    assert mini.cli(*words, "--gang", "2").returncode == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before

    other = mini.cli(*words)
    assert other.returncode == 2 and "gang: 2 -> 1" in other.stderr
    assert "train autoencoder" in other.stderr.split("kept:")[0]


def test_what_keeps_ranks_from_meeting_is_told(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*seat: object) -> None:
        from tile_engine.errors import SettingsError

        raise SettingsError("no port may be opened here", "E_TEST")

    monkeypatch.setattr(gang, "_open", closed)
    with pytest.raises(SettingsError, match="no port may be opened here"):
        train_gang(client, training("reconstruction"), 2)


@pytest.mark.nightly
def test_a_gang_whose_scheduler_is_gone_ends_with_75(by_hand: Any, tmp_path: Path) -> None:
    from distributed import Client

    begun = tmp_path / "begun"

    def work(replica: Replica) -> None:
        begun.touch()
        time.sleep(600)

    def kill() -> None:
        while not begun.exists():
            time.sleep(0.1)
        by_hand.scheduler.kill()

    with Client(by_hand.address, timeout="60s", set_as_default=False) as connected:
        connected.wait_for_workers(2, timeout=200)
        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(UnfinishedError, match="scheduler is gone") as caught:
            train_gang(connected, work, 2)
        killer.join()
    assert caught.value.code == "E_SCHEDULER_LOST"
