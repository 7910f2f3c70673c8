"""Clusters: what a queue is told of a job, who can reach a scheduler, and which jobs are replaced."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.workers.launch import (
    QUEUE_CLASSES,
    cluster_settings,
    exposure_warning,
    job_options,
    job_script,
    loopback,
    start_cluster,
)
from tile_engine.engine.workers.placement import QUEUES, ClusterOptions, ClusterSpec, cluster_spec
from tile_engine.engine.workers.pool import worker_pool
from tile_engine.engine.workers.site import Jobs, read_site
from tile_engine.errors import MachineError

BASE = {"cores": 4, "memory": "8GB"}


def order(kind: str, **keys: Any) -> ClusterSpec:
    import yaml

    own = {"disk": "1GB"} if kind == "htcondor" else {}
    return ClusterSpec(kind, read_site(yaml.safe_dump({kind: {**BASE, **own, **keys}}), "site.yaml"))


@pytest.mark.parametrize("kind", QUEUES)
def test_every_queue_has_a_job(kind: str) -> None:
    """With a worker a core, no dashboard beyond the node, and no memory limit but the queue's."""
    script = job_script(order(kind))
    assert "SCHEDULER_ADDRESS" in script and "distributed.cli.dask_worker" in script
    assert script.index("export PYTHONSAFEPATH=1") < script.index("distributed.cli.dask_worker")
    assert "--nworkers 4" in script and "--nthreads 1" in script
    assert "--no-dashboard --dashboard-address 127.0.0.1:0" in script
    assert script.rindex("--memory-limit 0") > script.index("--memory-limit 1.86GiB"), "the last one counts"


def test_the_table_of_queues_is_whole() -> None:
    assert tuple(QUEUE_CLASSES) == QUEUES
    assert not job_script(ClusterSpec("local", read_site("", "none")))


def test_what_the_site_says_of_a_job_stands_in_its_script(tmp_path: Path) -> None:
    logs = tmp_path / "deep" / "logs"
    script = job_script(
        order(
            "slurm",
            partition="long",
            account="lab",
            walltime="01:00:00",
            lifetime="55 m",
            lifetime_stagger="4m",
            log_directory=str(logs),
            local_directory="/scratch",
            interface="ib0",
            python="/opt/python",
            job_script_prologue=["module load python"],
            job_extra_directives=["--constraint=avx2"],
            worker_extra_args=["--memory-limit 7GB"],
        )
    )
    for line in (
        "-p long",
        "-A lab",
        "-t 01:00:00",
        "-J tile-engine",
        "--constraint=avx2",
        f"-e {logs}/tile-engine-%J.err",
    ):
        assert f"#SBATCH {line}\n" in script
    assert "\nmodule load python\n/opt/python -m distributed.cli.dask_worker" in script
    assert "--lifetime 55m --lifetime-stagger 4m" in script and "--interface ib0" in script
    assert script.index("--memory-limit 7GB") > script.index("--memory-limit 0"), "the site goes before our defaults"
    assert not (tmp_path / "deep").exists(), "a script that is only shown leaves no folder"


def test_gpu_jobs_start_a_worker_a_gpu_with_its_whole_memory() -> None:
    """dask-cuda's command has no --lifetime: it would be taken for somebody else's argument."""
    keys = {"worker_command": "dask_cuda.cli", "job_extra_directives": ["--gres=gpu:1"], "lifetime": "55m"}
    found = order("slurm", **keys)
    script = job_script(found)
    assert found.gpu and "#SBATCH --gres=gpu:1" in script
    assert "-m dask_cuda.cli SCHEDULER_ADDRESS" in script and "--device-memory-limit 0" in script
    assert "--lifetime" not in script and "--rmm-pool-size" not in script
    assert "export DASK_DISTRIBUTED__WORKER__LIFETIME__DURATION=55m\n" in script
    assert "--nthreads 1 --device" in script and job_options(found.site.jobs("slurm"))["processes"] == 1
    assert "--rmm-pool-size 8GB" in job_script(ClusterSpec("slurm", found.site, rmm_pool="8GB"))


@pytest.mark.parametrize(
    ("keys", "here"),
    [
        ({}, False),
        ({"interface": "lo"}, True),
        ({"interface": "ib0"}, False),
        ({"interface": "lo", "scheduler_options": {"host": "10.0.0.1"}}, False),
        ({"interface": "ib0", "scheduler_options": {"host": "127.0.0.1"}}, True),
        ({"interface": "lo", "scheduler_options": {"interface": "ib0"}}, False),
        ({"scheduler_options": {"host": "0.0.0.0"}}, False),
    ],
)
def test_a_scheduler_is_taken_for_reachable_unless_it_surely_is_not(keys: dict[str, Any], here: bool) -> None:
    assert loopback(Jobs.model_validate({**BASE, **keys})) is here


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("tcp://127.0.0.1:8786", False),
        ("tcp://127.0.0.2:8786", False),
        ("tls://10.0.0.1:8786", False),
        ("inproc://10.0.0.1/1/2", False),
        ("tcp://10.0.0.1:8786", True),
        ("ws://node7:8786", True),
        ("tcp://[fe80::1]:8786", True),
    ],
)
def test_an_open_scheduler_is_warned_of(address: str, warned: bool) -> None:
    assert bool(exposure_warning(address)) is warned


def test_a_machine_without_the_queues_commands_is_told_to_be_the_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MachineError, match="`qsub`, which is not found here") as caught:
        start_cluster(order("pbs"))
    assert (caught.value.code, caught.value.exit_status) == ("E_NO_QUEUE", 5)


def test_jobs_that_had_workers_and_have_none_are_lost() -> None:
    """Not those that still wait in the queue, those of which one worker is left, or those that come back in time; and
    a new job of the same name begins anew."""
    from tile_engine.engine.workers.adaptive import JOB_GRACE_SECONDS, AdaptiveJobs

    keeper = AdaptiveJobs.__new__(AdaptiveJobs)
    keeper._seen, keeper._gone, keeper.state = set(), {}, "inactive"
    there: set[str] = set()
    spec = {name: {"group": ["-0", "-1"]} for name in ("j1", "j2", "j3")}
    keeper.cluster = SimpleNamespace(worker_spec=spec, workers=dict.fromkeys(spec), observed=there)
    assert keeper.lost(0.0) == [], "all wait in the queue"
    there |= {"j1-0", "j1-1", "j2-1"}
    assert keeper.lost(1.0) == []
    there -= {"j1-0", "j1-1"}
    assert keeper.lost(2.0) == []
    there.add("j1-0")
    assert keeper.lost(2.0 + JOB_GRACE_SECONDS) == [], "it came back"
    there.remove("j1-0")
    assert keeper.lost(20.0) == []
    assert keeper.lost(20.0 + JOB_GRACE_SECONDS) == ["j1"]
    assert keeper.lost(21.0 + JOB_GRACE_SECONDS) == keeper.lost(22.0 + 3 * JOB_GRACE_SECONDS) == [], (
        "the next one waits"
    )


def local(unit_timeout: float) -> ClusterSpec:
    return cluster_spec(ClusterOptions(cluster="local", workers=1, unit_timeout=unit_timeout))


@pytest.mark.timeout(120)
def test_who_has_no_key_of_a_local_scheduler_cannot_use_it_and_silent_workers_are_replaced() -> None:
    from distributed import Client

    with cluster_settings(local(60)), start_cluster(local(60)) as cluster:
        assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
        assert cluster.scheduler.worker_ttl == 60
        with Client(cluster, set_as_default=False) as client:
            assert client.submit(abs, -7).result(60) == 7
        port = int(cluster.scheduler_address.rpartition(":")[2])
        stranger = ssl.create_default_context()
        stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
            pytest.raises(ssl.SSLError),
            stranger.wrap_socket(plain) as connection,
        ):
            connection.recv(1)


def test_a_worker_is_taken_for_dead_within_the_units_limit_between_half_a_minute_and_five() -> None:
    import dask

    assert [local(limit).silence for limit in (1, 60, 1800)] == [30, 60, 300]
    for users, seconds in ((None, "60s"), ("10s", "10s"), ("2 hours", "60s")):
        with dask.config.set({"distributed.scheduler.worker-ttl": users}), cluster_settings(local(60)):
            assert dask.config.get("distributed.scheduler.worker-ttl") == seconds


def test_workers_are_spawned_where_dask_gives_them_other_variables_than_the_server_has() -> None:
    """Its libraries have read them by then."""
    import dask
    import distributed

    assert distributed
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": "spawn"}),
        cluster_settings(local(60)),
    ):  # by dask's own
        assert dask.config.get("distributed.worker.multiprocessing-method") == "forkserver"
        assert "MALLOC_TRIM_THRESHOLD_" not in dask.config.get("distributed.nanny.pre-spawn-environ")
    for threads, forks in ((1, True), (2, False)):
        variables = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
        users = {"distributed.nanny.pre-spawn-environ": variables, "distributed.worker.multiprocessing-method": "spawn"}
        with dask.config.set(users), cluster_settings(local(60)):
            assert (dask.config.get("distributed.worker.multiprocessing-method") == "forkserver") is forks


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_the_unit_of_a_stopped_worker_is_done_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer inside the worker is stopped with it."""
    monkeypatch.setattr("tile_engine.engine.workers.placement.MIN_SILENCE_SECONDS", 6.0)
    with worker_pool(ClusterOptions(cluster="local", workers=2, unit_timeout=6)) as pool:
        workers = pool.client.run(os.getpid)
        stopped = next(iter(workers.values()))
        os.kill(stopped, signal.SIGSTOP)
        assert {*pool.map(lambda _: os.getpid(), range(4))}.isdisjoint({stopped})


def test_queues_leave_to_sigint_what_it_does() -> None:
    """Their package replaces the handler where it is imported: Ctrl-C would end a run at once, with status 0."""
    work = (
        "import signal; before = signal.getsignal(signal.SIGINT); from tile_engine.engine.workers.launch import queue_class; "
        "queue_class('slurm'); assert signal.getsignal(signal.SIGINT) is before"
    )
    subprocess.run([sys.executable, "-c", work], check=True, timeout=120)
