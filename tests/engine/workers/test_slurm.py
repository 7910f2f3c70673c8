"""A real Slurm of one machine, started for these tests: a run on it leaves the bytes of a local one, whatever ends its jobs."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import warm

pytestmark = pytest.mark.xdist_group("cluster")

CONFIGURATION = """
ClusterName=tiles
SlurmctldHost=localhost
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/node.log
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/node.pid
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""

SITE = """
cluster: slurm
wait: 120
{tls}
slurm:
  cores: {cores}
  memory: 500MB
  partition: main
  walltime: "{walltime}"
  {lifetime}
  interface: lo
  scheduler_options: {{host: 127.0.0.1}}
  log_directory: {folder}/logs
  local_directory: {folder}/local
"""

SHORT = ("--patch", "32", "--effort", "0.05", "--k", "2-3", "--seeds", "2", "--no-umap", "--samples", "600")
"""Settings of a run on a real slide that goes on for longer than its jobs live."""


@dataclass(frozen=True)
class Slurm:
    """A running cluster."""

    folder: Path
    environment: dict[str, str]

    def say(self, *words: str) -> str:
        """What a command of Slurm prints."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    def running(self) -> list[str]:
        return self.say("squeue", "--noheader", "--states=RUNNING", "--format=%i").split()

    def log(self, since: int = 0) -> str:
        """What the controller did with jobs: submitted, started, ended, and why."""
        lines = (self.folder / "controller.log").read_text().splitlines()[since:]
        return "\n".join(line for line in lines if "JobId=" in line)

    def lines(self) -> int:
        return len((self.folder / "controller.log").read_text().splitlines())

    def site(self, path: Path, **said: str) -> Path:
        """A site file at `path`, with a folder of logs beside it."""
        words = {"walltime": "00:10:00", "lifetime": "", "tls": "", "cores": "1"} | said
        path.write_text(SITE.format(folder=path.parent, **words))
        return path


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    """Munge, controller and node of one machine, in a temporary folder, on ports that are free; ended by their own ids."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name, path=path) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not found: install Debian's slurm-wlm and munge")
    folder = Path(tempfile.mkdtemp(prefix="tiles-slurm-"))
    folder.chmod(0o755)
    started = Slurm(folder, {**os.environ, "PATH": path, "SLURM_CONF": str(folder / "slurm.conf")})
    try:
        _munge(started)
        _daemons(started)
        yield started
    finally:
        with suppress(subprocess.SubprocessError, AssertionError):
            started.say("scancel", "--partition=main")
            _no_jobs_left(started)
        for name in ("node.pid", "controller.pid", "munge/pid"):
            _end(folder / name)
        shutil.rmtree(folder, ignore_errors=True)


def _munge(slurm: Slurm) -> None:
    """The service by which Slurm's programs know each other, with a key and a socket of its own."""
    folder = slurm.folder / "munge"
    folder.mkdir()
    (folder / "key").write_bytes(os.urandom(256))
    (folder / "key").chmod(0o400)
    own: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("munge")
        for place in (folder, folder / "key"):
            os.chown(place, user.pw_uid, user.pw_gid)
        own = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    files = [f"--{name}={folder}/{file}" for name, file in MUNGE.items()]
    subprocess.run(["munged", "--force", *files], env=slurm.environment, check=True, timeout=60, **own)


MUNGE = {"socket": "socket", "key-file": "key", "log-file": "log", "pid-file": "pid", "seed-file": "seed"}


def _daemons(slurm: Slurm) -> None:
    folder = slurm.folder
    for name in ("state", "spool"):
        (folder / name).mkdir()
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        ports = {"controller": one.getsockname()[1], "node": two.getsockname()[1]}
    user = pwd.getpwuid(os.geteuid()).pw_name
    text = CONFIGURATION.format(folder=folder, user=user, **ports)
    (folder / "slurm.conf").write_text(text)
    slurm.say("slurmctld")
    slurm.say("slurmd", "-N", "localhost")
    _until(lambda: slurm.say("sinfo", "--noheader", "--format=%T").strip() == "idle", 60, "the node to be idle")


def _until(happened: Callable[[], Any], seconds: float, what: str) -> None:
    limit = time.monotonic() + seconds
    while True:
        with suppress(subprocess.CalledProcessError):  # the controller does not answer yet
            if happened():
                return
        assert time.monotonic() < limit, f"waited {seconds} s in vain for {what}"
        time.sleep(0.2)


def _end(pid_file: Path) -> None:
    with suppress(FileNotFoundError, ProcessLookupError, ValueError):
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        for _ in range(100):
            os.kill(pid, 0)
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Real:
    """One real slide and an undisturbed local run of it."""

    slides: Path
    out: Path

    def command(self, mini: Any, out: Path, *where: str | Path) -> list[str]:
        return list(mini.command("run", "cluster", "--slides", self.slides, "--out", out, *SHORT, *where))


@pytest.fixture(scope="module")
def real(data: Path, mini: Any, tmp_path_factory: pytest.TempPathFactory) -> Real:
    root = tmp_path_factory.mktemp("real")
    made = Real(root / "slides", root / "out")
    made.slides.mkdir()
    shutil.copy2(data / "wsi" / "CMU-1-Small-Region.svs", made.slides)
    done = subprocess.run(
        made.command(mini, made.out, "--cluster", "none"), capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    return made


def _no_jobs_left(slurm: Slurm) -> None:
    _until(lambda: not slurm.say("squeue", "--noheader").strip(), 60, "all jobs to be gone")


@pytest.mark.nightly
@pytest.mark.timeout(500)
def test_encrypted_workers_of_a_queue_leave_the_same_bytes(slurm: Slurm, mini: Any, tmp_path: Path) -> None:
    """`--cluster` comes from the site file; the command's jobs are gone when it ends, and its keys too."""
    site = slurm.site(tmp_path / "site.yaml", tls="tls: true")
    environment = {**slurm.environment, "XDG_CACHE_HOME": str(tmp_path / "cache"), "TILE_ENGINE_SITE": str(site)}
    environment[warm.COLD] = (
        "1"  # dask-jobqueue removes its keys while the interpreter ends, which a warm command skips
    )
    command = mini.again(tmp_path / "out")
    command[command.index("--cluster") :] = ["--workers", "2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 dask workers with 2 threads" in done.stderr and "2 workers, 2 threads" in done.stderr
    assert mini.results(tmp_path / "out") == mini.results(mini.out)
    keys = tmp_path / "cache" / "tile-engine" / "keys"
    assert keys.stat().st_mode & 0o777 == 0o700 and not list(keys.iterdir())
    _no_jobs_left(slurm)


@contextmanager
def begun(command: list[str], slurm: Slurm) -> Iterator[subprocess.Popen[str]]:
    """A run that goes on beside the test; killed where the test fails before it ends."""
    run = subprocess.Popen(command, env=slurm.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield run
    finally:
        if run.poll() is None:
            run.kill()
            run.wait(20)


def _has_done(out: Path, step: str, run: subprocess.Popen[str]) -> None:
    _until(lambda: list(out.glob(f"receipts/{step}/**/*.json")) or run.poll() is not None, 300, step)
    assert run.poll() is None, f"the run ended before this test could disturb it: {run.stderr and run.stderr.read()}"


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_workers_that_reach_their_lifetime_are_replaced_until_the_run_is_done(
    slurm: Slurm, mini: Any, real: Real, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = slurm.lines()
    site = slurm.site(tmp_path / "site.yaml", walltime="00:01:00", lifetime="lifetime: 15s\n  lifetime_stagger: 4s")
    where = ("--cluster", "slurm", "--site", site, "--adapt", "1:2")
    with begun(real.command(mini, tmp_path / "out", *where), slurm) as run:
        _, told = run.communicate(timeout=800)
    with capsys.disabled():
        print(f"\n{slurm.log(before)}")
    assert run.returncode == 0, told
    assert mini.results(tmp_path / "out") == mini.results(real.out)
    assert len(set(re.findall(r"submit_batch_job: JobId=(\d+)", slurm.log(before)))) >= 2, "jobs were replaced"
    _no_jobs_left(slurm)


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_a_job_that_is_ended_at_its_walltime_in_the_middle_of_a_unit_is_replaced(
    slurm: Slurm, mini: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its worker is made to stand still, so that it surely has a unit when Slurm ends it, a minute or so after its start."""
    before = slurm.lines()
    site = slurm.site(tmp_path / "site.yaml", walltime="00:01:00")
    out = tmp_path / "out"
    command = mini.again(out)
    command[command.index("--cluster") :] = ["--cluster", "slurm", "--site", str(site), "--workers", "1"]
    with begun(command, slurm) as run:
        _has_done(out, "pixels", run)
        job = slurm.running()[0]
        for pid in re.findall(r"^(\d+)", slurm.say("scontrol", "listpids", job), re.MULTILINE):
            os.kill(int(pid), signal.SIGSTOP)
        _until(lambda: "JobState=TIMEOUT" in slurm.say("scontrol", "show", "job", job), 200, "the walltime")
        _, told = run.communicate(timeout=300)
    with capsys.disabled():
        print(f"\n{slurm.log(before)}")
    assert run.returncode == 0, told
    assert mini.results(out) == mini.results(mini.out)
    _no_jobs_left(slurm)


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_jobs_that_are_cancelled_in_the_middle_cost_nothing_but_time(
    slurm: Slurm, mini: Any, real: Real, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What their workers, two in each, had begun is done again, and new jobs take their place."""
    before = slurm.lines()
    site = slurm.site(tmp_path / "site.yaml", cores="2")
    out = tmp_path / "out"
    with begun(real.command(mini, out, "--cluster", "slurm", "--site", site, "--workers", "2"), slurm) as run:
        for step in ("pixels", "autoencoder"):
            _has_done(out, step, run)
            slurm.say("scancel", *slurm.running())
        _, told = run.communicate(timeout=800)
    with capsys.disabled():
        print(f"\n{slurm.log(before)}")
    assert run.returncode == 0, told
    assert mini.results(out) == mini.results(real.out)
    assert slurm.say("scontrol", "show", "jobs").count("JobState=CANCELLED") >= 2
    assert len(set(re.findall(r"submit_batch_job: JobId=(\d+)", slurm.log(before)))) >= 3, "jobs were replaced"
    _no_jobs_left(slurm)


@pytest.mark.timeout(100)
def test_what_the_queue_refuses_is_said_at_once(slurm: Slurm, mini: Any, tmp_path: Path) -> None:
    """And a dry run shows the job, submits none and leaves no folder of logs behind."""
    site = slurm.site(tmp_path / "site.yaml")
    site.write_text(site.read_text().replace("partition: main", "partition: moon"))
    words = ("run", "cluster", "--slides", mini.slides, "--out", tmp_path / "out", "--site", site, "--workers", "1")
    refused = mini.cli(*words, env=slurm.environment)
    assert refused.returncode == 5 and "[E_NO_QUEUE]" in refused.stderr and "invalid partition" in refused.stderr
    shutil.rmtree(tmp_path / "logs", ignore_errors=True)
    shown = mini.cli(*words, "--dry-run", env=slurm.environment)
    assert shown.returncode == 0 and "#SBATCH -p moon" in shown.stdout
    assert not (tmp_path / "logs").exists() and not slurm.say("squeue", "--noheader").strip()
