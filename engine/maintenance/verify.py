"""verify: compares the files in OUT with the receipts of the units that wrote them; reports damage and changes nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ...errors import CorruptError, UnfinishedError
from ...stores.array import StoredArray
from ...stores.cases import damaged
from ...stores.files import crc32
from ...stores.folder import Folder
from ...stores.frame import Box
from ...stores.image import attributes_of
from ...stores.receipts import Ledger
from ...stores.remote import absolute
from ...stores.sweep import leftovers
from ..pipeline.documents import read_run
from ..pipeline.job import Job
from ..pipeline.settings import RunSettings
from ..pipeline.step import Step
from ..pipeline.unit import Unit
from ..runtime.load import load
from ..runtime.ownership import own_paths
from ..steps.checkpoints import stated_weights
from ..workers.placement import ClusterOptions
from ..workers.pool import WorkerPool, worker_pool
from ..workers.window import Died
from .status import owner_of

SHARD = re.compile(r"(.+)/(c(?:/\d+)+)")


@dataclass(frozen=True, slots=True)
class Finding:
    """One damaged file, and the unit that wrote it."""

    kind: str
    """missing, empty, size, changed, undecodable, unreadable, metadata, or receipt."""
    path: str
    """Relative to OUT."""
    text: str
    step: str
    unit: str
    slide: str = ""
    """Name of the slide as the user gave it; empty for files of the whole cohort."""

    @property
    def array(self) -> str:
        """Path of the array that a shard belongs to; for other files, the file's own path."""
        match = SHARD.fullmatch(self.path)
        return match[1] if match else self.path

    @property
    def shard(self) -> str:
        match = SHARD.fullmatch(self.path)
        return match[2] if match else ""


@dataclass(slots=True)
class Verdict:
    """The result of a verification: counts and findings."""

    out: str
    owner: str = ""
    """Host and process id that hold the folder's lock; units that this process has not finished are not checked."""
    units: int = 0
    files: int = 0
    findings: list[Finding] = field(default_factory=list)
    leftovers: int = 0
    """Number of half-written files of killed processes; the next run removes them."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of checking one unit."""

    files: int = 0
    findings: tuple[Finding, ...] = ()


Found = Callable[[Finding], None]


def verify(
    out: str | Path, *, full: bool = False, cluster: ClusterOptions | None = None, found: Found | None = None
) -> Verdict:
    """Check every file in the receipts of the run in `out`: that it exists and has its size.

    With `full`, also check its checksum and decode every chunk, on the workers of `cluster`. `found` is called with each
    finding as it is made. The run may be in progress. Raises SettingsError (E_NO_RUN) where there is no run.
    """
    folder = Folder(absolute(out))
    job = load(folder.out)
    with worker_pool((cluster or ClusterOptions()) if full else ClusterOptions(cluster="none")) as workers:
        verdict = look(job, workers, full=full, found=found)
    for finding in of_index(folder, full=full):
        verdict.findings.append(finding)
        if found:
            found(finding)
    verdict.owner = owner_of(folder)
    verdict.leftovers = leftovers(folder.out, own_paths(job.pipeline))
    return verdict


def look(
    job: Job[RunSettings], workers: WorkerPool, *, full: bool, found: Found | None = None, steps: Collection[str] = ()
) -> Verdict:
    """Check every unit of the begun steps (only `steps`, if given), in a stream: memory grows only with the findings."""
    verdict = Verdict(str(job.folder.out))
    for step, complete in _begun(job):
        if steps and step.name not in steps:
            continue
        for answer in workers.map(partial(check, job.folder.out, full, complete), _units(job, step)):
            if isinstance(answer, Died):
                raise UnfinishedError(
                    f"workers died while they checked {answer.unit.name} of step {answer.unit.step!r} ({answer.reason}): "
                    "use fewer of them, or --cluster none.",
                    "E_WORKER_DIED",
                )
            verdict.units += 1
            verdict.files += answer.files
            for finding in answer.findings:
                verdict.findings.append(finding)
                if found:
                    found(finding)
    return verdict


def of_index(folder: Folder, *, full: bool) -> list[Finding]:
    """Findings in the search index; `repair` removes a damaged index, and the next search rebuilds it."""
    problems = damaged(folder.out / "index", full=full)
    return [Finding(kind, f"index/{name}", text, step="search", unit="index") for kind, name, text in problems]


def check(out: Path, full: bool, complete: bool, unit: Unit) -> Checked:
    """Check the files of one unit. A missing receipt is a finding only where the step is `complete`."""
    job = load(out)
    ledger = Ledger(out, unit.step, job.ledger_key(unit.step, unit.slide))
    name = job.slides[unit.slide].name if unit.slide else ""
    tell = partial(Finding, step=unit.step, unit=unit.name, slide=name)
    receipt_path = ledger.path(unit.name).relative_to(out).as_posix()
    try:
        receipt = ledger.read(unit.name)
    except CorruptError as error:
        return Checked(1, (tell("receipt", receipt_path, error.message),))
    if receipt is None:
        text = "the unit was complete, but its receipt is missing or belongs to another run"
        return Checked(1, (tell("receipt", receipt_path, text),)) if complete else Checked()
    findings = [
        tell(kind, path, text) for path, size, crc in receipt.files for kind, text in _wrong(out, path, size, crc, full)
    ]
    if full and not findings:
        findings += [tell("changed", path, text) for path, _, _ in receipt.files for text in _other_weights(out, path)]
    receipt_paths = {path for path, _, _ in receipt.files}
    findings += [tell("metadata", path, text) for path, text in _rewritten(job, unit) if path not in receipt_paths]
    return Checked(len(receipt.files), tuple(findings))


def _begun(job: Job[RunSettings]) -> Iterator[tuple[Step, bool]]:
    """The steps that have begun, and whether each is complete."""
    run = read_run(job.folder)
    for name, step in job.pipeline.steps.items():
        if name in run.steps:
            yield step, run.is_complete([name])


def _units(job: Job[RunSettings], step: Step) -> Iterator[Unit]:
    """The step's units; where the files that define them are damaged, the units that have a receipt."""
    try:
        yield from step.units(job)
    except CorruptError:
        folder = job.folder.out / "receipts" / step.name
        for path in folder.rglob("*.json"):
            yield Unit(step.name, path.relative_to(folder).with_suffix("").as_posix())


def _wrong(out: Path, path: str, size: int, crc: int, full: bool) -> Iterator[tuple[str, str]]:
    """(kind, text) of the fault in one file: none or one. JSON documents are read even without `full`."""
    file = out / path
    try:
        actual_size = file.stat().st_size
        data = file.read_bytes() if actual_size == size and (full or path.endswith(".json")) else None
    except (FileNotFoundError, NotADirectoryError):
        yield "missing", f"the file is missing; {size} bytes were written"
        return
    except OSError as error:
        yield "unreadable", f"the file cannot be read: {error.strerror}"
        return
    if actual_size != size:
        yield ("size" if actual_size else "empty"), f"the file has {actual_size} bytes, {size} were written"
        return
    reason = _undecodable(out, path) if full else ""
    if reason:
        yield "undecodable", reason
    elif data is not None and crc32(data) != crc:
        kind = "metadata" if file.name == "zarr.json" else "changed"
        yield kind, f"the checksum of the file is {crc32(data):08x}, {crc:08x} was written"


def _undecodable(out: Path, path: str) -> str:
    """Why a shard cannot be decoded; empty where it decodes or the file is no shard. Metadata has its own findings."""
    match = SHARD.fullmatch(path)
    if match is None or not path.startswith(("slides/", "volumes/", "samples.zarr/")):
        return ""
    try:
        array = StoredArray.open(out / match[1])
    except CorruptError:
        return ""
    index = tuple(map(int, match[2].split("/")[1:]))
    spec = array.spec
    box = Box(index, tuple(i + 1 for i in index)).refine(spec.shard) & Box((0,) * len(index), spec.shape)
    try:
        array.read(box)
    except CorruptError as error:
        return error.message
    except (RuntimeError, ValueError) as error:  # from blosc, and from numpy if blosc returns too few bytes
        return f"the shard cannot be decoded ({error})"
    return ""


def _other_weights(out: Path, path: str) -> Iterator[str]:
    """The fault of a model's record whose sha256 differs from that of the weights file."""
    if not (path.startswith("models/") and path.endswith(".json")):
        return
    stated = stated_weights(out / path)
    weights = (out / path).with_suffix(".safetensors")
    if stated and hashlib.sha256(weights.read_bytes()).hexdigest() != stated:
        yield f"the sha256 of {weights.name} differs from the one in the record"


def _rewritten(job: Job[RunSettings], unit: Unit) -> Iterator[tuple[str, str]]:
    """(path, text) of faults in the lists of labels and layers, which no receipt names, as several steps rewrite them.

    They are checked with the last begun step that writes them."""
    begun = [step for step, _ in _begun(job)]
    for output in job.pipeline.steps[unit.step].outputs:
        if not output.rewritten or unit.step != [step.name for step in begun if output in step.outputs][-1]:
            continue
        store = output.of(job.folder, unit.slide).root
        for group in (store / "labels", store / "layers"):
            try:
                attributes_of(group)
            except CorruptError as error:
                yield (group / "zarr.json").relative_to(job.folder.out).as_posix(), error.message
