"""Placement: ClusterOptions of the user, the site file and the machine, resolved to a ClusterSpec before anything starts."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from ...errors import MachineError, SettingsError
from ..compute.gpus import gpus
from ..compute.machine import cores
from ..pipeline.option import WHERE, Option
from .site import Site, find_site

QUEUES = ("slurm", "pbs", "lsf", "sge", "oar", "htcondor")
CLUSTER_TYPES = ("none", "local", "cuda", *QUEUES)
UNIT_LIMIT_SECONDS = 1800.0
"""Time limit of a unit of a slide; units usually take 5 to 60 seconds."""


MIN_SILENCE_SECONDS, MAX_SILENCE_SECONDS = 30.0, 300.0
"""Bounds of the time without a heartbeat after which a worker is replaced; code that holds Python's lock delays heartbeats."""


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Where a run computes: the first of client, scheduler_address, scheduler_file and cluster that is set."""

    client: Any = None
    """A `distributed.Client` that is connected already; in Python alone."""
    scheduler_address: Annotated[
        str | None, Option(WHERE, help="Address of a running dask scheduler, such as tcp://127.0.0.1:8786.")
    ] = None
    scheduler_file: Annotated[
        str | Path | None,
        Option(WHERE, metavar="FILE", help="File that `dask scheduler --scheduler-file` wrote."),
    ] = None
    cluster: Annotated[
        str | None,
        Option(
            WHERE,
            metavar="KIND",
            default="the site file's, else cuda with GPUs, else local with more than two cores, else none",
            help="Where workers run: none (in this process), local (a worker a core), cuda (a worker a GPU), or a queue that "
            "the site file describes: slurm, pbs, lsf, sge, oar, htcondor.",
        ),
    ] = None
    workers: Annotated[
        int | None,
        Option(
            WHERE,
            default="one a core or GPU",
            help="Workers to start; new ones are started in place of those that end.",
        ),
    ] = None
    adapt: Annotated[
        str | None,
        Option(WHERE, metavar="MIN:MAX", help="Fewest and most workers, as the work needs them; instead of --workers."),
    ] = None
    site: Annotated[
        str | Path | None,
        Option(
            WHERE,
            metavar="FILE",
            default="TILE_ENGINE_SITE, else ~/.config/tile-engine/site.yaml",
            help="Site file, which describes the jobs of this cluster.",
        ),
    ] = None
    rmm_pool: Annotated[
        str | None,
        Option(WHERE, metavar="SIZE", default="none", help="Memory of each GPU that RMM reserves, such as 8GB."),
    ] = None
    cache_dir: Annotated[
        str | Path | None,
        Option(
            WHERE,
            metavar="FOLDER",
            default="only slides in object stores are copied, to the temporary folder",
            help="Folder on each machine's own disk to which slides are copied before they are read.",
        ),
    ] = None
    cache_limit: Annotated[
        float | None,
        Option(
            WHERE, default="50, or half of what is free", help="Gigabytes that copies of slides may take on a machine."
        ),
    ] = None
    wait: Annotated[
        float | None,
        Option(
            WHERE,
            default="the site file's, else 60, or 600 of a queue",
            help="Seconds to wait for the first worker, and for a worker to return after all were lost.",
        ),
    ] = None
    unit_timeout: Annotated[
        float,
        Option(
            WHERE,
            default=f"{UNIT_LIMIT_SECONDS:g}",
            help="Seconds that one unit of a slide may take on a worker before another worker tries it.",
        ),
    ] = UNIT_LIMIT_SECONDS


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """The cluster to connect to or to start."""

    kind: str
    """`client`, `address`, or one of `CLUSTER_TYPES`."""
    site: Site
    address: str = ""
    least: int = 1
    """Workers at any time."""
    most: int = 1
    rmm_pool: str | None = None
    wait_option: float | None = None
    silence: float = MAX_SILENCE_SECONDS
    """Seconds without a heartbeat after which the scheduler replaces a worker."""

    @property
    def wait(self) -> float:
        """Seconds until the first worker must have come, and until one must be back after all are gone."""
        return self.wait_option or self.site.wait or (600.0 if self.kind in QUEUES else 60.0)

    @property
    def is_here(self) -> bool:
        """Whether the work is done on this machine."""
        return self.kind in ("none", "local", "cuda")

    @property
    def gpu(self) -> bool:
        """Whether each worker needs a GPU."""
        return self.kind == "cuda" or (
            self.kind in QUEUES and (self.site.jobs(self.kind).worker_command or "").startswith("dask_cuda")
        )


def cluster_spec(options: ClusterOptions) -> ClusterSpec:
    """Resolve the options. Raises SettingsError for contradicting or unknown options, MachineError without GPUs."""
    if options.workers is not None and options.adapt is not None:
        raise SettingsError(f"--workers {options.workers} and --adapt {options.adapt} contradict each other: give one.")
    if options.workers is not None and options.workers < 1:
        raise SettingsError(f"--workers is {options.workers}: a run needs at least one worker.")
    if options.cluster is not None and options.cluster not in CLUSTER_TYPES:
        raise SettingsError(
            f"--cluster {options.cluster!r} is not known: use {', '.join(CLUSTER_TYPES[:-1])} or {CLUSTER_TYPES[-1]}, "
            "or --scheduler-address."
        )
    worker_range = _numbers(options.workers, options.adapt)
    if options.client is not None:
        return ClusterSpec("client", Site(), wait_option=options.wait)
    site = find_site(options.site)
    address = options.scheduler_address
    if not address and options.scheduler_file:
        address = address_in(Path(options.scheduler_file))
    address = address or os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address:
        return ClusterSpec("address", site, address=address, wait_option=options.wait)
    kind = options.cluster or site.cluster or _automatic(worker_range is not None)
    least, most = worker_range or _numbers(site.workers, site.adapt) or _usual(kind)
    if kind == "cuda" and len(gpus()) < most:
        raise MachineError(
            f"--cluster cuda is asked for {most} workers, and `nvidia-smi` finds {len(gpus())} GPUs that may be used here: "
            "each worker needs its own GPU. Ask for fewer workers, or use --cluster local.",
            "E_NO_GPU",
        )
    if options.rmm_pool and kind in ("none", "local"):
        raise SettingsError(f"--rmm-pool is for workers with a GPU, and --cluster {kind} has none.")
    silence = min(MAX_SILENCE_SECONDS, max(MIN_SILENCE_SECONDS, options.unit_timeout))
    return ClusterSpec(
        kind, site, least=least, most=most, rmm_pool=options.rmm_pool, wait_option=options.wait, silence=silence
    )


def address_in(file: Path) -> str:
    """The scheduler's address in a file of `dask scheduler --scheduler-file`. Raises MachineError if there is none."""
    try:
        with file.expanduser().open("rb") as opened:
            return str(json.loads(opened.read(1_000_000))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MachineError(
            f"{file} names no dask scheduler ({type(error).__name__}: {error}): start one with `dask scheduler "
            f"--host 127.0.0.1 --scheduler-file {file}`, and check that it still runs.",
            "E_NO_SCHEDULER",
        ) from error


def _numbers(workers: int | None, adapt: str | None) -> tuple[int, int] | None:
    if workers is not None:
        return workers, workers
    if adapt is None:
        return None
    found = re.fullmatch(r"(\d+):(\d+)", adapt.strip())
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise SettingsError(f"--adapt is {adapt!r}: give the fewest and the most workers, such as 2:20.")
    return int(found[1]), int(found[2])


def _automatic(workers_given: bool) -> str:
    if importlib.util.find_spec("dask_cuda") and gpus():
        return "cuda"
    return "local" if cores() > 2 or workers_given else "none"


def _usual(kind: str) -> tuple[int, int]:
    """Default number of workers (least, most)."""
    if kind in QUEUES:
        raise SettingsError(
            f"--cluster {kind} has no default number of workers: set it with --workers N or --adapt MIN:MAX."
        )
    count = {"local": cores(), "cuda": max(1, len(gpus()))}.get(kind, 1)
    return count, count
