"""Sections that the reports of several runs share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...stores.frame import Array
from ...stores.receipts import Ledger
from ..pipeline.job import Job
from ..pipeline.unit import Unit
from ..show import run_sections
from ..show.page import Image, Section
from .convert.geometry import PYRAMID


def courses_of(job: Job[Any]) -> list[dict[str, Any]]:
    """The courses of all trainings as rows {stage, step, loss ...}."""
    names = {"autoencoder": "autoencoder", "head": "heads", "clusterer": "fine-tuning"}
    return [
        {"stage": stage, **row}
        for name, stage in names.items()
        for row in job.folder.read(f"models/{name}").get("course", [])
    ]


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
    run = job.folder.read("run")
    figures = (Image(training, "Losses over training steps"),) if training else ()
    rejected = [(r["name"], r["code"], r["message"]) for r in job.folder.read("rejected").values()]
    return [
        *([run_sections.rejected_section(rejected)] if rejected else []),
        run_sections.times_section(stage_times(job, unfinished=unit.step)),
        *([Section("Training", figures=figures, folded=True)] if figures else []),
        run_sections.settings_section(run["settings"] | {"input": run["input"]}),
        run_sections.settings_section(run["versions"], heading="Versions"),
    ]


def stage_times(job: Job[Any], *, unfinished: str) -> list[run_sections.StageTime]:
    """The seconds of every finished step, as run.json has them when the report is made.

    `unfinished` is the step that makes the report: where it is repaired, run.json still calls it complete.
    """
    steps = job.pipeline.steps
    return [
        run_sections.StageTime(
            stage=steps[name].title,
            read=facts["seconds"]["read"],
            compute=facts["seconds"]["compute"],
            write=facts["seconds"]["write"],
            wall=facts["wall"],
        )
        for name, facts in job.folder.read("run")["steps"].items()
        if facts["status"] == "complete" and name != unfinished
    ]
