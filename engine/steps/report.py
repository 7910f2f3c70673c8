"""Report sections that several pipelines share."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...stores.frame import Array
from ...stores.remote import ObjectPath
from ..pipeline.documents import read_run
from ..pipeline.job import Job
from ..pipeline.outputs import SUMMARY, list_name
from ..pipeline.typed import settings_shown
from ..pipeline.unit import Unit
from ..show import run_sections
from ..show.page import Column, Image, Link, Section, Table
from ..show.spreadsheet import Cell
from .checkpoints import ModelRecord, find_record
from .left_out import lost_sections, rejected_sections
from .mask_sheets import mask_sections, shares_of

RUN_FILE = "run.yaml"
"""What the runtime leaves in OUT, for `--config`."""
RUN_FILE_TOP = (
    "# What this run was made of, by its last command: `tile-engine run {name} --config FILE` makes it again.\n"
)
"""Its first line: a file of that name without it is another program's, or a person's."""
MAX_LINKED = 60
"""Images whose outlines the report links, at most."""
Trained = tuple[str, str, type[ModelRecord]]
"""A model's name, the title of its training in the report, and the type of its record."""
AUTOENCODER: Trained = ("autoencoder", "autoencoder", ModelRecord)


def histories_of(job: Job[Any], trained: Iterable[Trained]) -> list[dict[str, Any]]:
    """Training histories as rows {stage, step, loss ...}; models that are not trained contribute no rows."""
    records = [(stage, find_record(job, name, model)) for name, stage, model in trained]
    return [{"stage": stage, **row} for stage, record in records if record for row in record.history]


def name_of(job: Job[Any]) -> str:
    """What a run is about: its only image, or the name of its folder of results; of one of several stains, of the folder above.

    The folder of a list says nothing of the images that it names, which may lie anywhere.
    """
    (only, *others) = job.slides.values()
    if not others and not only.films:
        return only.name
    out = job.folder.out
    named = f"{out.parent.name}, {out.name}" if (out.parent / "stains.json").exists() else out.name
    return named or Path(read_run(job.folder).input).name


def facts_of(job: Job[Any], *, tiles: int, rejected: int, clusters: int = 0) -> tuple[tuple[str, str], ...]:
    """The key figures at the head of a report, as (name, value) pairs."""
    facts = [
        (job.modality.plural, str(len(job.slides))),
        ("rejected", str(rejected)),
        ("tissue tiles" if job.modality.planar else "tiles", f"{tiles:,}"),
    ]
    if clusters:
        facts.append(("clusters", str(clusters)))
    facts.append(("spacing", job.modality.length(job.spacing)))
    sides = " and ".join(map(str, job.settings.sides))
    return (*facts, ("patch, stride", f"{sides}, {job.settings.step} {job.modality.cell}"))


def slide_rows(job: Job[Any], counts: Array | None = None) -> list[run_sections.SlideRow]:
    """A row of every image; `counts` are its tiles (cluster, image), None in runs without tiles."""
    rows = []
    for i, (slide, record) in enumerate(job.slides.items()):
        parts = shares_of(job, slide)
        total = None if counts is None else int(counts[:, i].sum())
        shares = tuple(counts[:, i] / total) if counts is not None and total else ()
        tissue, unreadable, absent = (parts.get(name, float("nan")) for name in ("tissue", "unreadable", "absent"))
        row = run_sections.SlideRow(
            record.name, slide, record.spacing, record.shape, tissue, total, shares, unreadable, absent
        )
        rows.append(row)
    return rows


def closing_sections(job: Job[Any], unit: Unit, *, training: Path | None) -> list[Section]:
    """The closing sections of every report: masks, lost and rejected images, times, training curves, this run, settings.

    `unit` is the report's own unit; its step is left out of the times, as its duration is not known yet.
    """
    run = read_run(job.folder)
    figures = (Image(training, "Losses over training steps"),) if training else ()
    return [
        *mask_sections(job),
        *lost_sections(job),
        *rejected_sections(job),
        run_sections.times_section(stage_times(job, unfinished=unit.step)),
        *([Section("Training", figures=figures, folded=True)] if figures else []),
        origin_of(job),
        run_sections.settings_section(_settings(job) | {"input": run.input}),
        run_sections.settings_section(run.versions, heading="Versions"),
    ]


def _settings(job: Job[Any]) -> dict[str, str]:
    """The settings as a user types them, with what computed defaults became."""
    became = {"stride": str(job.settings.named["step"])} if "step" in job.settings.named else {}
    if "spacing" in type(job.settings).model_fields:
        became["spacing"] = job.modality.length(job.spacing)
    return settings_shown(job.settings, became)


def origin_of(job: Job[Any]) -> Section:
    """`origin_section` of a run."""
    run = read_run(job.folder)
    made_by = (
        f"tile-engine {run.tile_engine} on Python {run.versions.get('python', 'unknown')}; seed {run.settings['seed']}, "
        f"{run.settings['threads']} threads, device {run.settings['device']}"
    )
    return origin_section(job.folder.out, job.pipeline.command.name, made_by, tuple(links_of(job)))


def origin_section(out: Path, name: str, made_by: str, links: tuple[Link, ...]) -> Section:
    """When and by what the report in `out` was made, how its run of this name is made again and looked at, and links to files.

    run.yaml of a run on one of several stains lies in the folder above.
    """
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    here, above = "the folder of this report", "the folder above that of this report"
    rows: list[tuple[Cell, ...]] = []
    with_stains = [(out.parent, above)] if (out.parent / "stains.json").exists() else []
    for folder, where in ((out, here), *with_stains):
        if has_run_file(folder, name):
            command = f"tile-engine run {name} --config {RUN_FILE} --out NEW"
            rows.append((f"The same run again; {RUN_FILE} holds the images and settings", where, command))
            break
    if not isinstance(out, ObjectPath):  # the viewer shows folders of a machine
        rows.append(("Its results at every magnification", above, f"tile-engine view {shlex.quote(out.name)}"))
    columns = (Column("To see"), Column("From"), Column("Command", "code"))
    tables = (Table(columns, tuple(rows)),) if rows else ()
    return Section("This run", (f"Report of {made}, by {made_by}.",), links=links, tables=tables)


def has_run_file(folder: Path, name: str) -> bool:
    """Whether a folder has a run.yaml that tile-engine wrote, of the run of this name."""
    top = RUN_FILE_TOP.format(name=name).encode()
    try:
        with (folder / RUN_FILE).open("rb") as file:
            return bool(file.read(len(top)) == top)
    except OSError:
        return False


def links_of(job: Job[Any]) -> Iterator[Link]:
    """Links to the lists beside the report, and to the outlines of the first images for QuPath."""
    out, plural = job.folder.out, job.modality.plural
    also = ", and the sections that were rejected" if plural != job.folder.images else ""
    yield Link(
        out / list_name(job.folder.images), f"{list_name(job.folder.images)}: all {plural}, used or rejected{also}"
    )
    yield Link(out / SUMMARY, f"{SUMMARY}: the head of this page as text")
    paths = ((out / "maps" / f"{image}.geojson", record.name) for image, record in job.slides.items())
    found = [(path, name) for path, name in paths if path.exists()]
    for number, (path, name) in enumerate(found[:MAX_LINKED], 1):
        more = f" (maps/ has those of {len(found) - number:,} more)" if number == MAX_LINKED < len(found) else ""
        yield Link(path, f"{path.name}: outlines of {name} for QuPath{more}")


def stage_times(job: Job[Any], *, unfinished: str) -> list[run_sections.StageTime]:
    """The seconds of every finished step, from run.json at the time of the report.

    `unfinished` is the step that writes the report; during a repair, run.json still records that step as complete.
    """
    steps = job.pipeline.steps
    return [
        run_sections.StageTime(
            stage=steps[name].title,
            read=record.seconds["read"],
            compute=record.seconds["compute"],
            write=record.seconds["write"],
            wall=record.wall,
        )
        for name, record in read_run(job.folder).steps.items()
        if record.status == "complete" and name != unfinished
    ]
