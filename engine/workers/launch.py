"""Launch: a table of functions that start the workers of each type of cluster.

Services listen on this machine only, unless a site file opens them. Who connects to a scheduler can run programs as its user,
and on a shared machine that is every user: connections need a key that only this run's processes have (TLS), unless a site file
says otherwise for a queue.
"""

from __future__ import annotations

import ipaddress
import math
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...errors import MachineError, SettingsError
from .fork_server import can_fork
from .placement import QUEUES, ClusterSpec
from .site import Jobs

MAX_DEATHS_PER_UNIT = 1
"""Workers of this machine that a unit may crash before it is isolated; for queues dask's own 3, because their jobs also end at
their walltime."""
IDLE_SECONDS = 60
"""Seconds for which a job must be superfluous before it is given back: a new one may wait long in the queue."""


def start_cluster(order: ClusterSpec) -> Any:
    """A dask cluster with its workers requested; a context manager that ends them."""
    return STARTERS[order.kind](order)


def cluster_settings(order: ClusterSpec) -> Any:
    """A context with the settings of dask under which our clusters start.

    The profiler is off: it keeps a picture of each of the last thousand seconds in every process, for a dashboard that is not
    started. A worker without a heartbeat is replaced by the scheduler: a timer inside a stopped process does not run. Local
    workers are forked (see `fork_server`). dask would set a variable, in the run's own process too, by which freed memory is
    given back at once; each process sets what it keeps itself (see `keep_freed_memory`).
    """
    import dask
    import distributed.config  # noqa: F401 - dask knows its settings then
    from dask.utils import parse_timedelta

    ttl = parse_timedelta(dask.config.get("distributed.scheduler.worker-ttl", None) or order.silence)
    given = dask.config.get("distributed.nanny.pre-spawn-environ")
    environment = {name: value for name, value in given.items() if (name, value) != DASKS_MALLOC}
    forks = order.kind == "local" and can_fork({name: str(value) for name, value in environment.items()})
    forked = {"distributed.worker.multiprocessing-method": "forkserver"} if forks else {}
    return dask.config.set(
        {
            "distributed.nanny.pre-spawn-environ": environment,
            "distributed.worker.profile.enabled": False,
            "distributed.scheduler.worker-ttl": f"{min(ttl, order.silence):g}s",
            **forked,
        }
    )


def _local(order: ClusterSpec) -> Any:
    from distributed import LocalCluster

    from .nanny import LocalNanny, start_server

    start_server()
    try:
        cluster: Any = LocalCluster(
            n_workers=order.least,
            threads_per_worker=1,
            worker_class=LocalNanny,
            env=dict(os.environ),  # the process that they are forked from may have older values
            **_ON_THIS_MACHINE,
        )
    except RuntimeError as error:
        raise MachineError(
            f"workers could not be started on this machine ({error}): see the messages above. A script that starts them needs "
            "`if __name__ == '__main__':` around what it does.",
            "E_NO_WORKERS",
        ) from error
    cluster.scheduler.allowed_failures = MAX_DEATHS_PER_UNIT
    if order.most > order.least:
        cluster.adapt(minimum=order.least, maximum=order.most)
    return cluster


def _cuda(order: ClusterSpec) -> Any:
    if order.most > order.least:
        raise SettingsError("--adapt is for local workers and queues: with --cluster cuda use --workers, or neither.")
    try:
        from dask_cuda import LocalCUDACluster
    except ImportError as error:
        raise MachineError(
            f"--cluster cuda needs dask-cuda, which cannot be imported ({error}): install tile-engine[cuda].",
            "E_NO_GPU",
        ) from error
    options = {"rmm_pool_size": order.rmm_pool} if order.rmm_pool else {}
    return LocalCUDACluster(
        n_workers=order.least,
        threads_per_worker=1,
        device_memory_limit=0,
        protocol="tls",
        **options,
        **_ON_THIS_MACHINE,
    )


def queue_class(kind: str) -> Any:
    """dask_jobqueue's class of a queue. Its import would replace what SIGINT does by an end with status 0."""
    handler = signal.getsignal(signal.SIGINT)
    import dask_jobqueue

    signal.signal(signal.SIGINT, handler)
    return getattr(dask_jobqueue, QUEUE_CLASSES[kind])


def _queue(order: ClusterSpec) -> Any:
    jobs = order.site.jobs(order.kind)
    make = queue_class(order.kind)
    submit = make.job_cls.submit_command.split()[0]
    if shutil.which(submit) is None:
        raise MachineError(
            f"--cluster {order.kind} submits jobs with `{submit}`, which is not found here: run the command on a machine "
            "from which jobs can be submitted.",
            "E_NO_QUEUE",
        )
    options = job_options(jobs, order.rmm_pool)
    encrypted = not loopback(jobs) if order.site.tls is None else order.site.tls
    if encrypted:
        options |= {"security": True, "shared_temp_directory": str(_for_keys(jobs))}
    try:
        cluster = make(
            scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0", **jobs.scheduler_options},
            silence_logs="error",
            **options,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise MachineError(
            f"no scheduler for the jobs could be started here ({error}): see `interface` and `scheduler_options` of the "
            "site file.",
            "E_NO_SCHEDULER",
        ) from error
    try:
        _submit(cluster, order, per_job=options["processes"])
    except BaseException:
        cluster.sync(_cancelled, cluster)
        cluster.close()
        raise
    return cluster


def _submit(cluster: Any, order: ClusterSpec, *, per_job: int) -> None:
    """Submit the first jobs at once, so that a refusal is reported; then dask replaces jobs that end."""
    from .adaptive import AdaptiveJobs, job_of

    least, most = (math.ceil(n / per_job) * per_job for n in (order.least, order.most))
    while len(cluster.worker_spec) < least // per_job:
        cluster.worker_spec.update(cluster.new_worker_spec())
    try:
        cluster.sync(_settled, cluster)
    except (RuntimeError, ValueError, OSError) as error:
        message = " ".join(str(error).split())
        raise MachineError(
            f"the queue refused a job: {message}. Correct the section `{order.kind}` of the site file; "
            "--dry-run prints the job.",
            "E_NO_QUEUE",
        ) from error
    together: dict[str, Any] = {"Adaptive": AdaptiveJobs, "worker_key": job_of} if per_job > 1 else {}
    cluster.adapt(minimum=least, maximum=most, wait_count=IDLE_SECONDS, **together)


async def _settled(cluster: Any) -> None:
    await cluster


async def _cancelled(cluster: Any) -> None:
    """Close all jobs, also those that never started: dask waits for ever for a job that is not marked as closed."""
    from distributed.core import Status

    for job in list(cluster.workers.values()):
        await job.close()
        job.status = Status.closed


def job_options(jobs: Jobs, rmm_pool: str | None = None) -> dict[str, Any]:
    """Arguments of dask-jobqueue for a job; those of the site file come last and override others."""
    own = {"processes", "lifetime", "lifetime_stagger", "scheduler_options", "shared_temp_directory"}
    options = jobs.model_dump(exclude_none=True, exclude=own)
    gpu = (jobs.worker_command or "").startswith("dask_cuda")
    arguments = [
        "--no-dashboard",
        "--dashboard-address",
        "127.0.0.1:0",
        "--memory-limit",
        "0",
    ]  # the queue enforces limits
    prologue = ["export PYTHONSAFEPATH=1"]  # files of the working folder cannot be imported by workers
    life = {"duration": jobs.lifetime, "stagger": jobs.lifetime_stagger}
    for name, value in ((n, v.replace(" ", "")) for n, v in life.items() if v):
        if gpu:  # dask-cuda's command has no --lifetime, but its workers read this variable
            prologue.append(f"export DASK_DISTRIBUTED__WORKER__LIFETIME__{name.upper()}={value}")
        else:
            arguments += ["--lifetime" if name == "duration" else "--lifetime-stagger", value]
    if gpu:
        arguments += ["--nthreads", "1", "--device-memory-limit", "0"]
        arguments += ["--rmm-pool-size", rmm_pool] if rmm_pool else []
    return options | {
        "processes": jobs.processes or (1 if gpu else jobs.cores),
        "worker_extra_args": [*arguments, *jobs.worker_extra_args],
        "job_script_prologue": [*prologue, *jobs.job_script_prologue],
    }


def job_script(order: ClusterSpec) -> str:
    """The script of the job that would be submitted; empty if there is none. Nothing is started, no file stays."""
    if order.kind not in QUEUES:
        return ""
    jobs = order.site.jobs(order.kind)
    job = queue_class(order.kind).job_cls
    options = job_options(jobs, order.rmm_pool)
    logs = Path(jobs.log_directory).absolute() if jobs.log_directory else None
    new_folders = [folder for folder in (logs, *logs.parents) if not folder.exists()] if logs else []
    try:
        return str(job("SCHEDULER_ADDRESS", name="NAME", **options).job_script())
    except ValueError as error:
        raise SettingsError(
            f"the section `{order.kind}` of the site file describes no valid job: {error}.", "E_SITE"
        ) from error
    finally:  # making a job makes the folder of its logs
        for folder in new_folders:
            folder.rmdir()


def loopback(jobs: Jobs) -> bool:
    """Whether the scheduler listens on this machine only."""
    host = jobs.scheduler_options.get("host")
    interface = jobs.scheduler_options.get("interface") or (None if host else jobs.interface)
    return is_loopback(str(host)) if host else interface == "lo"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine only.

    >>> is_loopback("127.0.0.2"), is_loopback("localhost"), is_loopback("::1"), is_loopback("10.0.0.7"), is_loopback("0.0.0.0")
    (True, True, True, False, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def exposure_warning(address: str) -> str:
    """A warning about an open scheduler address: anybody who can connect can run programs as this user. Empty if it is safe."""
    parts = urlsplit(address)
    if parts.scheme in ("tls", "inproc") or is_loopback(parts.hostname or ""):
        return ""
    return (
        f"the dask scheduler at {address} accepts connections from other machines without encryption or password: anyone who "
        "can connect can run programs as you. Let the scheduler listen on 127.0.0.1, or use TLS (`tls: true` in the site file)."
    )


def _for_keys(jobs: Jobs) -> Path:
    """Folder for keys, visible to all nodes and readable by this user only."""
    named = jobs.shared_temp_directory
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.path.expandvars(named)).expanduser() if named else cache / "tile-engine" / "keys"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not named:
        folder.chmod(0o700)
    return folder


_ON_THIS_MACHINE: dict[str, Any] = {
    "host": "127.0.0.1",
    "dashboard_address": "127.0.0.1:0",
    "scheduler_kwargs": {"dashboard": False},
    "memory_limit": 0,
    "silence_logs": 40,
    "security": True,  # keys for this cluster alone, on disk only for a moment, in a folder of this user
}
"""Options of clusters on this machine."""
DASKS_MALLOC = ("MALLOC_TRIM_THRESHOLD_", 65536)
QUEUE_CLASSES = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "sge": "SGECluster",
    "oar": "OARCluster",
    "htcondor": "HTCondorCluster",
}
STARTERS: dict[str, Callable[[ClusterSpec], Any]] = {"local": _local, "cuda": _cuda} | dict.fromkeys(
    QUEUE_CLASSES, _queue
)
