"""Report sections that several pipelines share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...stores.frame import Array
from ...stores.receipts import Ledger
from ..pipeline.documents import read_run, rejected_rows
from ..pipeline.job import Job
from ..pipeline.unit import Unit
from ..show import run_sections
from ..show.page import Image, Section
from .checkpoints import ModelRecord, find_record
from .convert.geometry import PYRAMID
from .convert.loss import losses

RUN_FILE = "run.yaml"
"""What the runtime leaves in OUT, for `--config`."""
Trained = tuple[str, str, type[ModelRecord]]
"""A model's name, the title of its training in the report, and the type of its record."""
AUTOENCODER: Trained = ("autoencoder", "autoencoder", ModelRecord)


def histories_of(job: Job[Any], trained: Iterable[Trained]) -> list[dict[str, Any]]:
    """Training histories as rows {stage, step, loss ...}; models that are not trained contribute no rows."""
    records = [(stage, find_record(job, name, model)) for name, stage, model in trained]
    return [{"stage": stage, **row} for stage, record in records if record for row in record.history]


def name_of(job: Job[Any]) -> str:
    """What a run is about: its only image, or the folder or list that its images came from."""
    (only, *others) = job.slides.values()
    return Path(read_run(job.folder).input).name if others or only.films else only.name


def facts_of(job: Job[Any], *, tiles: int, rejected: int, clusters: int = 0) -> tuple[tuple[str, str], ...]:
    """The key figures at the head of a report, as (name, value) pairs."""
    facts = [(job.modality.plural, str(len(job.slides))), ("rejected", str(rejected)), ("tissue tiles", f"{tiles:,}")]
    if clusters:
        facts.append(("clusters", str(clusters)))
    facts.append(("spacing", f"{job.spacing:g} µm"))
    sides = " and ".join(map(str, job.settings.sides))
    return (*facts, ("patch, stride", f"{sides}, {job.settings.step} {job.modality.cell}"))


def slide_rows(job: Job[Any], counts: Array) -> list[run_sections.SlideRow]:
    rows = []
    for i, (slide, record) in enumerate(job.slides.items()):
        receipt = Ledger(job.folder.out, PYRAMID, job.ledger_key(PYRAMID, slide)).find(f"{slide}/{PYRAMID}")
        share = float(receipt.facts["tissue_share"]) if receipt else float("nan")
        total = int(counts[:, i].sum())
        shares = tuple(counts[:, i] / total) if total else ()
        rows.append(run_sections.SlideRow(record.name, slide, record.spacing[0], record.shape, share, total, shares))
    return rows


def closing_sections(job: Job[Any], unit: Unit, *, training: Path | None) -> list[Section]:
    """The closing sections of every report on slides or volumes: lost tiles, and those of `run_closing_sections`."""
    lost = [(job.slides[image].name, text) for image, text in losses(job).items()]
    lost_sections = [run_sections.lost_section(lost)] if lost else []
    return [*lost_sections, *run_closing_sections(job, unit, training=training)]


def run_closing_sections(job: Job[Any], unit: Unit, *, training: Path | None) -> list[Section]:
    """The closing sections of every report: rejected images, times, training curves, settings, versions.

    `unit` is the report's own unit; its step is left out of the times, as its duration is not known yet.
    """
    run = read_run(job.folder)
    figures = (Image(training, "Losses over training steps"),) if training else ()
    rejected = rejected_rows(job.folder)
    return [
        *([run_sections.rejected_section(rejected)] if rejected else []),
        run_sections.times_section(stage_times(job, unfinished=unit.step)),
        *([Section("Training", figures=figures, folded=True)] if figures else []),
        origin_section(job),
        run_sections.settings_section(run.settings | {"input": run.input}),
        run_sections.settings_section(run.versions, heading="Versions"),
    ]


def origin_section(job: Job[Any]) -> Section:
    """When and by what the report was made, and how the run is made again."""
    run = read_run(job.folder)
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [
        f"Report of {made}, by tile-engine {run.tile_engine} on Python {run.versions.get('python', 'unknown')}; seed "
        f"{run.settings['seed']}, {run.settings['threads']} threads, device {run.settings['device']}."
    ]
    folders = {
        job.folder.out: "the folder of this report",
        job.folder.out.parent: "the folder above that of this report",
    }
    for folder, where in folders.items():
        if (folder / RUN_FILE).exists():
            command = f"tile-engine run {job.pipeline.command.name} --config {RUN_FILE} --out NEW"
            lines.append(f"The same run again, from {where}: {command}. {RUN_FILE} holds the images and settings.")
            break
    return Section("This run", tuple(lines))


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
