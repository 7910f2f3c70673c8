"""One contract for every registered run: units, outputs, kills on two workers, redo, verify. A new run gets it for nothing.

What belongs to whom, where several steps write in one folder:

* `samples.zarr` is a folder of arrays; each array belongs to the stage that writes it, and so does the group's own metadata.
* A stored image belongs to the stage `convert` as a whole. Its steps share it: `pixels` writes the levels that a block
  contains, `pyramid` the coarser ones and the metadata, so that a redo of `pyramid` alone writes over what it had left.
* `labels/zarr.json` and `layers/zarr.json` of a store list what several stages leave, so each stage that adds to them names
  them, as `rewritten`; a redo keeps them as long as one step that names them is kept.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.api.running import resume
from tile_engine.engine.maintenance.verify import verify
from tile_engine.engine.pipeline.job import Job
from tile_engine.engine.pipeline.outputs import INDEX, Output, document
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.pipeline.settings import RunSettings, settings_of
from tile_engine.engine.pipeline.step import Step
from tile_engine.engine.runs import RUNS, command
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.ownership import clear, own_paths
from tile_engine.engine.runtime.run_file import read_run_file
from tile_engine.engine.workers.pool import worker_pool

VARIANTS = [(name, variant.name) for name in RUNS for variant in command(name).variants]
DOCUMENTS = re.compile(
    r"(run|slides|rejected|rejected_pictures|quarantined|warnings)\.json|run\.yaml|log\.txt|receipts/.+\.json"
)
"""What the runtime writes itself, whatever the run."""
CHANGED: dict[str, dict[str, Any]] = {
    "cluster slides": {"seeds": 1},
    "cluster volumes": {"k": "2"},
    "cluster slides-trained": {"tissue_share": 0.9},
    "cluster volumes-trained": {"tissue_share": 0.9},
    "cluster sections-trained": {"tissue_share": 0.9},
    "cluster subjects": {"k": "2"},
    "embed volumes": {"distance": "l2"},
    "embed volume-tiles": {"seed": 1},
    "embed slide-tiles": {"max_bad_tiles": 0.5},
}
"""Run and variant -> a changed setting of a redo; for those without a line one is chosen (`another`)."""
NOT_BY_A_STEP = {
    "mpp": "part of an image's own key",
    "part": "part of an image's own key",
    "tissue_mask": "the file's fingerprint is part of an image's own key",
    "spacing": "decides every step, as the spacing of the run",
    "subjects": "chooses the variant, and is always set in it",
    "stains": "decides which images are in a run",
    "stain": "decides the channels of a block, which are part of its key",
    "t": "decides which part of a file is meant, which is part of an image's key",
    "channels": "as t",
    "suffix": "decides which images are in a run",
    "labels": "whether an image is a label map is part of its own key",
}
AHEAD = {"number": {"umap"}}
"""Step -> settings that it looks at only to import modules of later steps meanwhile."""
"""Settings that no step names, and how they decide results instead."""


AT_EVERY_CHANGE = {("cluster", "slides"), ("embed", "volumes"), ("register", "sections")}
"""Variants that are killed and done again at every change, others are every night."""


def marks_of(pair: tuple[str, str]) -> list[pytest.MarkDecorator]:
    """All tests of a variant run in one process, as they share its finished run."""
    return [pytest.mark.xdist_group("-".join(pair)), *([] if pair in AT_EVERY_CHANGE else [pytest.mark.nightly])]


@pytest.fixture(
    scope="module",
    params=[pytest.param(pair, id="-".join(pair), marks=marks_of(pair)) for pair in VARIANTS],
)
def run(request: pytest.FixtureRequest, finished: Callable[[str, str], Any]) -> Any:
    return finished(*request.param)


@pytest.fixture
def job(run: Any) -> Job[Any]:
    return load(run.out)


def files(out: Path) -> list[str]:
    """All files below OUT, but for what the runtime writes itself."""
    found = (p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    return sorted(name for name in found if not DOCUMENTS.fullmatch(name))


def covers(job: Job[Any], step: Step, name: str) -> bool:
    return any(claims(job, output, name) for output in step.outputs)


def claims(job: Job[Any], output: Output, name: str) -> bool:
    images = list(job.slides) if output.per_image else [""]
    return any(output.of(job.folder, image).covers(job.folder.out / name) for image in images)


def timed(job: Job[Any], name: str) -> bool:
    return any(output.timed and claims(job, output, name) for step in steps(job) for output in step.outputs)


def rewritten(job: Job[Any], name: str) -> bool:
    return any(output.rewritten and claims(job, output, name) for step in steps(job) for output in step.outputs)


def steps(job: Job[Any]) -> list[Step]:
    return list(job.pipeline.steps.values())


def results(out: Path) -> dict[str, str]:
    """Path -> hash of the bytes, of all that a run must leave the same each time."""
    job = load(out)
    return {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in files(out) if not timed(job, name)}


def named_by(out: Path, step: str) -> set[str]:
    """The files that a step's receipts name."""
    receipts = (json.loads(path.read_text()) for path in (out / "receipts" / step).rglob("*.json"))
    return {path for receipt in receipts for path, _, _ in receipt["files"]}


# -- run.yaml -------------------------------------------------------------------------------------------------------


def test_the_file_that_a_run_leaves_says_the_same_run(run: Any, job: Job[Any]) -> None:
    """Its images and settings, read as those of --config, are the run's own; nothing of a list of images stands in it."""
    told = read_run_file(run.out / "run.yaml", job.pipeline.command)
    variant, images = job.pipeline.command.chosen(told.images, told.settings)
    assert variant == job.pipeline.variant and told.out == str(run.out)
    assert settings_of(told.settings, variant.settings) == job.settings
    assert [Path(images)] == [Path(path).absolute() for path in run.images.values()]


# -- report ---------------------------------------------------------------------------------------------------------


class Text(HTMLParser):
    """The text of a page that people read, by the tag that it stands in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._tag = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = dict(attrs).get("class") or tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self._tag not in ("script", "style", "level-data"):
            self.found.append((self._tag, data))


def test_its_report_begins_with_a_sentence_and_shows_no_mark_up(run: Any, job: Job[Any]) -> None:
    page = job.folder.report.read_text()
    found = Text(re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)).found
    (answer, *_) = [text for place, text in found if place == "answer"]
    assert len(answer.split()) > 5, "an answer in words"
    assert not [text for _, text in found if "`" in text], "code is set as code"
    assert "None" not in answer and "nan" not in answer.split()
    if not job.modality.planar and job.modality.name == "volumes":
        assert not [text for _, text in found if re.search(r"\bslides?\b(?!/)", text)], "volumes are not called slides"
    assert job.folder.report.stat().st_size < 10_000_000


# -- units ----------------------------------------------------------------------------------------------------------


def test_units_are_the_same_each_time_and_no_two_have_one_name(run: Any, job: Job[Any], tmp_path: Path) -> None:
    reloaded = load(run.copy(tmp_path / "out"))
    for step in steps(job):
        units = list(step.units(job))
        assert units == list(step.units(job)) == list(step.units(reloaded)), step.name
        assert max(Counter(unit.name for unit in units).values(), default=1) == 1, step.name
        for unit in units:
            assert unit.step == step.name
            assert not unit.slide or (unit.slide in job.slides and unit.name.startswith(f"{unit.slide}/"))


def test_steps_are_told_apart_by_name_and_by_title(job: Job[Any]) -> None:
    everyone = [step for stage in job.pipeline.stages.values() for step in stage]
    assert len({step.name for step in everyone}) == len({step.title for step in everyone}) == len(everyone)


# -- outputs --------------------------------------------------------------------------------------------------------


def test_every_file_is_an_output_of_some_step_and_may_be_swept(run: Any, job: Job[Any]) -> None:
    unknown = [name for name in files(run.out) if not any(covers(job, step, name) for step in steps(job))]
    assert files(run.out) and not unknown
    assert not [name for name in files(run.out) if not re.fullmatch(own_paths(job.pipeline), name)], (
        "half-written ones would stay"
    )


def test_what_a_receipt_names_is_an_output_of_its_step_or_of_one_before_it_in_the_stage(
    run: Any, job: Job[Any]
) -> None:
    for stage in job.pipeline.stages.values():
        for i, step in enumerate(stage):
            named = named_by(run.out, step.name)
            unknown = [name for name in named if not any(covers(job, own, name) for own in stage[: i + 1])]
            assert not unknown, f"{step.name} wrote {sorted(unknown)[:5]}"


def test_no_two_stages_own_the_same_file(run: Any, job: Job[Any]) -> None:
    for name in files(run.out):
        owners = {
            stage
            for stage, members in job.pipeline.stages.items()
            for step in members
            for output in step.outputs
            if not output.rewritten and claims(job, output, name)
        }
        assert len(owners) <= 1, f"{name} is claimed by {owners}"


ON_REQUEST = {document("models/comparison"), document("models/normalization")}
"""Left by --match and by --normalize alone, which no small run has."""


@pytest.mark.nightly
def test_no_output_is_idle(finished: Callable[[str, str], Any]) -> None:
    """Each pattern describes a file of some variant, and a step that leaves files in no variant is none."""
    used, idle = {INDEX, *ON_REQUEST}, set()  # the index is made of a table by the first search
    for pair in VARIANTS:
        job = load(finished(*pair).out)
        names = files(job.folder.out)
        for output in {output for step in steps(job) for output in step.outputs}:
            (used if any(claims(job, output, name) for name in names) else idle).add(output)
    assert not idle - used


# -- kills ----------------------------------------------------------------------------------------------------------


class KilledError(Exception):
    """Raised where a kill would fall."""


def killed_after(step: Step) -> Callable[[Event], None]:
    """A report that ends the run when the last unit of a step has left its receipt, before run.json says so."""

    def report(event: Event) -> None:
        of_step = event.kind == "progress" and event.text == step.title and "steps" not in event.facts
        if of_step and event.done == event.total:
            raise KilledError

    return report


@pytest.fixture(scope="session")
def two_workers() -> Iterator[ClusterOptions]:
    with worker_pool(ClusterOptions(cluster="local", workers=2)) as workers:
        yield ClusterOptions(client=workers.client)


@pytest.fixture(scope="module")
def chained(run: Any, two_workers: ClusterOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of a run on two workers that was killed after each of its steps, and resumed."""
    out = tmp_path_factory.mktemp("chained") / "out"
    first, *others = load(run.out).pipeline.steps.values()
    with pytest.raises(KilledError):
        run.again(out, cluster=two_workers, report=killed_after(first))
    for step in others:
        with pytest.raises(KilledError):
            resume(out, options=RunOptions(cluster=two_workers, report=killed_after(step)))
    assert run.again(out, cluster=two_workers).status == "done"
    return out


def test_two_workers_killed_after_each_step_leave_the_bytes_of_one_undisturbed_process(run: Any, chained: Path) -> None:
    assert results(chained) == results(run.out)
    left = [p.name for p in chained.rglob("*") if ".part" in p.name or ".training." in p.name]
    assert not left + [n for n in ("lock.json", "receipts/progress.json") if (chained / n).exists()]


def test_a_step_looks_at_no_setting_that_does_not_decide_it(run: Any, job: Job[Any]) -> None:
    """A setting that a step reads and no step up to it names could be changed without the step being done again."""
    assert run.reads
    known = set(NOT_BY_A_STEP)
    for step in steps(job):
        known |= {field for name in step.settings for field in fields_of(job.settings, name)}
        assert not set(run.reads.get(step.name, ())) - known - AHEAD.get(step.name, set()), step.name


def fields_of(settings: RunSettings, name: str) -> set[str]:
    """The fields behind a setting that a step names: itself, or those that a property is made of."""
    if name in type(settings).model_fields:
        return {name}
    source = type(settings).__mro__
    owner = next(cls for cls in source if name in vars(cls))
    code = vars(owner)[name].fget.__code__
    return set(code.co_names) & set(type(settings).model_fields)


# -- redo -----------------------------------------------------------------------------------------------------------


def neighbours(job: Job[Any]) -> dict[Path, int]:
    """A file that nobody of us wrote, in and beside each folder in which a step leaves something."""
    roots = {
        output.of(job.folder, image).root
        for step in steps(job)
        for output in step.outputs
        for image in (job.slides if output.per_image else [""])
    }
    planted = {root / "mine.txt" for root in roots if root.is_dir()}
    planted |= {root.with_name(f"{root.name}.mine.txt") for root in roots if root.exists()}
    for path in planted:
        path.write_text("mine")
    return {path: path.stat().st_mtime_ns for path in planted}


def may_begin_a_redo(job: Job[Any], step: Step) -> bool:
    """Whether a step can be the first that is to be done again: something decides it that decides no step before it."""
    before = steps(job)[: steps(job).index(step)]
    own = set(step.settings) - {name for other in before for name in other.settings}
    return bool(own or step.cohort or step.files or step.columns(job.settings))


def test_what_is_removed_for_a_redo_is_what_the_steps_to_be_done_again_left(run: Any, tmp_path: Path) -> None:
    for begin, first in enumerate(steps(load(run.out))):
        job = load(run.copy(tmp_path / first.name))
        if not may_begin_a_redo(job, first):
            continue
        out, planted = job.folder.out, neighbours(job)
        kept, stale = steps(job)[:begin], steps(job)[begin:]
        of_kept = {name for step in kept for name in named_by(out, step.name)}
        of_stale = {name for step in stale for name in named_by(out, step.name)}
        clear(job.folder, stale, job.slides, kept=kept)
        left = set(files(out)) - {path.relative_to(out).as_posix() for path in planted}
        assert all(path.exists() for path in planted)
        assert of_kept <= left, f"a redo from {first.name} takes what a step before it had left"
        lingering = {name for name in of_stale & left if not any(covers(job, step, name) for step in kept)}
        assert not lingering, f"a redo from {first.name} leaves {sorted(lingering)[:5]}"
        assert not [step.name for step in stale if named_by(out, step.name)]


def test_a_redo_with_a_changed_setting_does_the_stale_steps_alone_again(run: Any, tmp_path: Path) -> None:
    job = load(run.copy(tmp_path / "out"))
    out, planted = job.folder.out, neighbours(job)
    before = {name: (out / name).stat().st_mtime_ns for name in files(out)}
    changed = CHANGED.get(f"{run.name} {run.variant}") or another(job)
    assert run.again(out, redo=True, settings=changed).status == "done"
    after = load(out)
    stale = [name for name in job.fingerprints if job.fingerprints[name] != after.fingerprints[name]]
    kept = [name for name in job.fingerprints if name not in stale]
    assert stale and kept, f"{changed} is to change some steps of {run.name} {run.variant}, not none and not all"
    assert {path: path.stat().st_mtime_ns for path in planted} == planted
    of_kept = {name for step in kept for name in named_by(out, step) if not rewritten(job, name)}
    assert of_kept and {n: (out / n).stat().st_mtime_ns for n in of_kept} == {n: before[n] for n in of_kept}
    assert not verify(out, full=True, cluster=ClusterOptions(cluster="none")).findings


def another(job: Job[Any]) -> dict[str, Any]:
    """Another value of a setting that decides one of the last steps and none of the first."""
    first, *others = steps(job)
    known = {*first.settings, *RunSettings.model_fields}
    names = [name for step in reversed(others) for name in step.settings if name not in known]
    for field in (field for name in names for field in sorted(fields_of(job.settings, name))):
        value = getattr(job.settings, field)
        choices = get_args(type(job.settings).model_fields[field].annotation)
        numbers = (2 * value, value / 2, value + 1) if isinstance(value, int | float) else ()
        for other in (not value,) if isinstance(value, bool) else (*numbers, *choices):
            with suppress(ValidationError):
                if type(job.settings).model_validate(job.settings.model_dump() | {field: other}) != job.settings:
                    return {field: other}
    raise AssertionError("no setting of a later step could be changed: give CHANGED a line")


# -- verify ---------------------------------------------------------------------------------------------------------


def test_verify_finds_nothing(chained: Path) -> None:
    verdict = verify(chained, full=True, cluster=ClusterOptions(cluster="none"))
    assert verdict.units and verdict.files and not verdict.findings and not verdict.leftovers


# -- settings -------------------------------------------------------------------------------------------------------


def test_steps_name_settings_that_there_are_and_every_setting_decides_something(job: Job[Any]) -> None:
    model = job.pipeline.variant.settings
    named = {name for step in steps(job) for name in (*step.settings, *step.files)}
    unknown = [n for n in named if n not in model.model_fields and not isinstance(getattr(model, n, None), property)]
    assert not unknown
    deciding = {field for name in named for field in fields_of(job.settings, name)}
    of_every_run = RunSettings.model_fields.keys()  # some runs have no use for some of these
    assert not model.model_fields.keys() - deciding - NOT_BY_A_STEP.keys() - of_every_run, (
        "the step that reads it names it"
    )
