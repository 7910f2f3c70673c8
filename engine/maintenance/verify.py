"""verify: what lies in OUT, held against the receipts of what was written there; damage is named, and nothing is changed."""

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
    """Below OUT."""
    text: str
    step: str
    unit: str
    slide: str = ""
    """As the user knows it; empty for what belongs to all slides."""

    @property
    def array(self) -> str:
        """The array that a shard is of; of other files the file itself."""
        match = SHARD.fullmatch(self.path)
        return match[1] if match else self.path

    @property
    def shard(self) -> str:
        match = SHARD.fullmatch(self.path)
        return match[2] if match else ""


@dataclass(slots=True)
class Verdict:
    """What was looked at, and what is wrong with it."""

    out: str
    owner: str = ""
    """Host and process that hold the folder's lock: units that they have not finished are not looked at."""
    units: int = 0
    files: int = 0
    findings: list[Finding] = field(default_factory=list)
    leftovers: int = 0
    """Half-written files of killed writers; the next run sweeps them."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What comes back from looking at one unit."""

    files: int = 0
    findings: tuple[Finding, ...] = ()


Found = Callable[[Finding], None]


def verify(
    out: str | Path, *, full: bool = False, cluster: ClusterOptions | None = None, found: Found | None = None
) -> Verdict:
    """Look at every file that the run in `out` says it wrote: that it is there, with its size; with `full` also its
    checksum, and that every chunk decodes, on the workers that `where` says. `found` is told each finding as it comes.

    A run may go on meanwhile. Raises SettingsError (E_NO_RUN) where there is no run.
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
    """Every unit of those of `steps` that were begun, a window of them at a time: memory grows with the damage alone."""
    verdict = Verdict(str(job.folder.out))
    for step, complete in _begun(job):
        if steps and step.name not in steps:
            continue
        for answer in workers.map(partial(check, job.folder.out, full, complete), _units(job, step)):
            if isinstance(answer, Died):
                raise UnfinishedError(
                    f"workers died while they looked at {answer.unit.name} of step {answer.unit.step!r} ({answer.reason}): "
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
    """What is wrong with the index that searches keep; `repair` takes it away, and the next search makes it anew."""
    wrong = damaged(folder.out / "index", full=full)
    return [Finding(kind, f"index/{name}", text, step="search", unit="index") for kind, name, text in wrong]


def check(out: Path, full: bool, complete: bool, unit: Unit) -> Checked:
    """Look at what one unit left. Without a receipt it is not done yet, which is wrong where its step is `complete`."""
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
        lost = "the unit was done, and its receipt is not there any more or is of another run"
        return Checked(1, (tell("receipt", receipt_path, lost),)) if complete else Checked()
    wrong = [
        tell(kind, path, text) for path, size, crc in receipt.files for kind, text in _wrong(out, path, size, crc, full)
    ]
    if full and not wrong:
        wrong += [tell("changed", path, text) for path, _, _ in receipt.files for text in _other_weights(out, path)]
    named = {path for path, _, _ in receipt.files}
    wrong += [tell("metadata", path, text) for path, text in _rewritten(job, unit) if path not in named]
    return Checked(len(receipt.files), tuple(wrong))


def _begun(job: Job[RunSettings]) -> Iterator[tuple[Step, bool]]:
    """The steps that were begun, and whether each is complete."""
    run = read_run(job.folder)
    for name, step in job.pipeline.steps.items():
        if name in run.steps:
            yield step, run.is_complete([name])


def _units(job: Job[RunSettings], step: Step) -> Iterator[Unit]:
    """The step's units; where what they are counted from is itself damaged, those that left a receipt."""
    try:
        yield from step.units(job)
    except CorruptError:
        folder = job.folder.out / "receipts" / step.name
        for path in folder.rglob("*.json"):
            yield Unit(step.name, path.relative_to(folder).with_suffix("").as_posix())


def _wrong(out: Path, path: str, size: int, crc: int, full: bool) -> Iterator[tuple[str, str]]:
    """(kind, text) of what is wrong with one file: nothing, or one thing. Small documents are always read."""
    here = out / path
    try:
        found = here.stat().st_size
        data = here.read_bytes() if found == size and (full or path.endswith(".json")) else None
    except (FileNotFoundError, NotADirectoryError):
        yield "missing", f"{size} bytes were written, and the file is gone"
        return
    except OSError as error:
        yield "unreadable", f"it cannot be read: {error.strerror}"
        return
    if found != size:
        yield ("size" if found else "empty"), f"it has {found} bytes, {size} were written"
        return
    broken = _undecodable(out, path) if full else ""
    if broken:
        yield "undecodable", broken
    elif data is not None and crc32(data) != crc:
        kind = "metadata" if here.name == "zarr.json" else "changed"
        yield kind, f"its checksum is {crc32(data):08x}, {crc:08x} was written"


def _undecodable(out: Path, path: str) -> str:
    """Why a shard of ours cannot be decoded; empty where it can, or is not one. Metadata have findings of their own."""
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
    except (RuntimeError, ValueError) as error:  # blosc's own, and numpy's where it gives too few bytes
        return f"it does not decode ({error})"
    return ""


def _other_weights(out: Path, path: str) -> Iterator[str]:
    """A model's record names the weights that it is of."""
    if not (path.startswith("models/") and path.endswith(".json")):
        return
    stated = stated_weights(out / path)
    weights = (out / path).with_suffix(".safetensors")
    if stated and hashlib.sha256(weights.read_bytes()).hexdigest() != stated:
        yield f"the weights in {weights.name} are not those that it names"


def _rewritten(job: Job[RunSettings], unit: Unit) -> Iterator[tuple[str, str]]:
    """What is wrong with files that no receipt names, since later steps write them again: the lists of labels and layers. They
    are the business of the last step that was begun of those that write them."""
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
