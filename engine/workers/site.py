"""Site: a YAML file in which administrators describe their cluster once, so that users need not know its queue.

It is read from --site, then TILE_ENGINE_SITE, then `tile-engine/site.yaml` in the user's configuration folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ...errors import SettingsError
from ..pipeline.expected import Form
from ..pipeline.validation import problems
from .yaml_file import read_limited, yaml_values

MAX_SITE_BYTES = 100_000
"""Largest size of a site file in bytes."""
Word = Annotated[str, StringConstraints(pattern=r"^[^\n\r]+$"), Form("a text on one line")]
"""One line: it becomes part of a line of the job script."""
Duration = Annotated[
    str,
    StringConstraints(pattern=r"^\d+(\.\d+)? ?(s|m|h|d|seconds?|minutes?|hours?|days?)$"),
    Form("a number with s, m, h or d behind it, such as 55m or 1.5 h"),
]
"""Such as 55m or 90 seconds."""


class Jobs(BaseModel):
    """Settings of the jobs of a queue, passed to dask-jobqueue under the same names."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    cores: int = Field(ge=1)
    """Of a job."""
    memory: Word
    """Of a job, such as 16GB."""
    processes: int | None = Field(None, ge=1)
    """Workers in a job; unset: one a core, or one where `worker_command` starts GPU workers."""
    queue: Word | None = Field(None, validation_alias=AliasChoices("queue", "partition"))
    walltime: Word | None = None
    job_name: Word = "tile-engine"
    interface: Word | None = None
    """Network interface of scheduler and workers, such as ib0."""
    scheduler_options: dict[str, str | int | bool | None] = {}
    """Of dask's scheduler, which runs where the command runs: host, port, interface ..."""
    worker_command: Word | None = None
    """Module that starts workers; `dask_cuda.cli` starts one a GPU."""
    worker_extra_args: list[Word] = []
    lifetime: Duration | None = None
    """Workers close gracefully after this time; set it below `walltime`."""
    lifetime_stagger: Duration | None = None
    """Random deviation of `lifetime`, so that not all workers close at once."""
    death_timeout: int = Field(60, ge=1)
    """Seconds after which workers without a scheduler end, and with them their job."""
    python: Word | None = None
    """Interpreter on the nodes; unset: the one that this command runs in, under the same path."""
    local_directory: Word | None = None
    log_directory: Word | None = None
    shared_temp_directory: Word | None = None
    """Folder for keys of encrypted connections during a run; all nodes must see it."""
    job_script_prologue: list[str] = []
    job_extra_directives: list[Word] = []
    job_directives_skip: list[Word] = []
    shebang: Word | None = None


class Slurm(Jobs):
    account: Word | None = None
    job_cpu: int | None = None
    job_mem: Word | None = None


class PBS(Jobs):
    account: Word | None = None
    resource_spec: Word | None = None


class LSF(Jobs):
    project: Word | None = None
    ncpus: int | None = None
    mem: int | None = None
    lsf_units: Word | None = None
    use_stdin: bool | None = None


class SGE(Jobs):
    project: Word | None = None
    resource_spec: Word | None = None


class OAR(Jobs):
    project: Word | None = None
    resource_spec: Word | None = None
    memory_per_core_property_name: Word | None = None


class HTCondor(Jobs):
    queue: None = None
    walltime: None = None
    disk: Word
    """Of a job, such as 10GB."""
    job_extra_directives: dict[Word, Word] = {}  # type: ignore[assignment]  # condor's are pairs
    submit_command_extra: list[Word] = []
    cancel_command_extra: list[Word] = []


class Site(BaseModel):
    """A site: its default cluster, and one section for each of its queues."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    cluster: Literal["none", "local", "cuda", "slurm", "pbs", "lsf", "sge", "oar", "htcondor"] | None = None
    """Default of --cluster."""
    workers: int | None = Field(None, ge=1)
    """Default of --workers."""
    adapt: str | None = None
    wait: float | None = Field(None, gt=0)
    """Seconds to wait for the first worker; unset: 600 for queues, 60 else."""
    tls: bool | None = None
    """Whether connections are encrypted; unset: unless the scheduler listens on this machine alone."""
    slurm: Slurm | None = None
    pbs: PBS | None = None
    lsf: LSF | None = None
    sge: SGE | None = None
    oar: OAR | None = None
    htcondor: HTCondor | None = None

    def jobs(self, kind: str) -> Jobs:
        """The section of a queue. Raises SettingsError where the site file has none."""
        section = getattr(self, kind)
        if isinstance(section, Jobs):
            return section
        raise SettingsError(
            f"--cluster {kind} needs a site file with a section `{kind}:` that says at least the cores and memory of a job. "
            f"Name one with --site or TILE_ENGINE_SITE, or write {usual()}.",
            "E_SITE",
        )


def find_site(named: str | Path | None = None) -> Site:
    """The site file; an empty site if none is named and the usual place has none.

    Raises SettingsError (E_SITE) that lists every problem of the file.
    """
    named = named or os.environ.get("TILE_ENGINE_SITE")
    path = Path(named).expanduser() if named else usual()
    try:
        text = read_limited(path, MAX_SITE_BYTES, "E_SITE")
    except FileNotFoundError as error:
        if named:
            raise SettingsError(f"there is no site file {path}: see --site and TILE_ENGINE_SITE.", "E_SITE") from error
        return Site()
    return read_site(text, str(path))


def read_site(text: bytes | str, name: str) -> Site:
    """A site from YAML text; messages use `name`."""
    raw = yaml_values(text, name, "E_SITE")
    try:
        return Site.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(f"{name}: {problems(error, Site, what='key')}.", "E_SITE") from error


def usual() -> Path:
    """Path of a user's own site file."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "tile-engine" / "site.yaml"
