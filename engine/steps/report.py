"""Sections that the reports of several runs share."""

from __future__ import annotations

from collections.abc import Iterable
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

Trained = tuple[str, str, type[ModelRecord]]
"""A model's name, what its training is called in the report, and the type of its record."""
AUTOENCODER: Trained = ("autoencoder", "autoencoder", ModelRecord)


def histories_of(job: Job[Any], trained: Iterable[Trained]) -> list[dict[str, Any]]:
    """The histories of trainings as rows {stage, step, loss ...}; those that were not done have none."""
    records = [(stage, find_record(job, name, model)) for name, stage, model in trained]
    return [{"stage": stage, **row} for stage, record in records if record for row in record.history]


def facts_of(job: Job[Any], *, tiles: int, rejected: int, clusters: int = 0) -> tuple[tuple[str, str], ...]:
    """What is worth knowing at a glance."""
    facts = [(job.modality.name, str(len(job.slides))), ("rejected", str(rejected)), ("tissue tiles", f"{tiles:,}")]
    if clusters:
        facts.append(("clusters", str(clusters)))
    facts.append(("spacing", f"{job.spacing:g} µm"))
    return (*facts, ("patch, stride", f"{job.settings.patch}, {job.settings.step} {job.modality.cell}"))


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
    """What every report ends with: what was rejected, where the time went, how training went (its picture, where
    there was any), settings.

    `unit` is the report's own: the time that it takes is not known yet.
    """
    run = read_run(job.folder)
    figures = (Image(training, "Losses over training steps"),) if training else ()
    rejected = rejected_rows(job.folder)
    return [
        *([run_sections.rejected_section(rejected)] if rejected else []),
        run_sections.times_section(stage_times(job, unfinished=unit.step)),
        *([Section("Training", figures=figures, folded=True)] if figures else []),
        run_sections.settings_section(run.settings | {"input": run.input}),
        run_sections.settings_section(run.versions, heading="Versions"),
    ]


def stage_times(job: Job[Any], *, unfinished: str) -> list[run_sections.StageTime]:
    """The seconds of every finished step, as run.json has them when the report is made.

    `unfinished` is the step that makes the report: where it is repaired, run.json still calls it complete.
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
