"""page: report.html of a run that scores anomalies: what each score finds, the most and least unlike images, and cautions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....stores.array import written
from ....stores.frame import Array
from ...pipeline.documents import read_document, read_run
from ...pipeline.image_documents import rejected_rows
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.page import Caution, Column, Image, ReportPage, Section, Table
from ...show.score_histogram import score_histogram
from ...show.spreadsheet import Cell
from ...show.training_curves import training_curves
from ...steps.checkpoints import ModelRecord
from ...steps.first_looks import noted
from ...steps.report import closing_sections, histories_of, name_of
from ...steps.report_files import write_report_files
from .documents import EVALUATION, Evaluation, Score
from .evaluate import Judged, judged_of
from .medium import Figure, Medium
from .score_names import OF_SPOTTERS, called
from .train import VAE
from .verdict import headline

STRONG_TONE = 0.5
"""Rank correlation from which a score is said to follow a property of grey values."""
MOST_GROUPS = 4
"""Labels that a histogram has a line for; the others have one together."""
DRAWN_SCORES = 9
"""Scores whose histograms are drawn, at most."""


def write_page(job: Job[Any], unit: Unit, *, medium: Medium) -> Outcome:
    """Draw the pictures and write the report."""
    outcome = Outcome()
    maps, galleries = job.folder.out / "maps", dict[str, Figure]()
    with outcome.clock("read"):
        document, scores = read_document(job.folder, EVALUATION, Evaluation), medium.scores(job)
        judged = judged_of(job, medium, scores[document.shown])
    with outcome.clock("compute"):
        trained = [(VAE, "autoencoder", ModelRecord), ("spotter-1", "pasted anomalies", ModelRecord)]
        training = training_curves(maps / "training.png", histories_of(job, trained))
        groups = _groups(judged)
        values = {name: scores[name][judged.rows] for name in list(scores)[:DRAWN_SCORES]}
        spread = {name: {group: each[rows] for group, rows in groups.items()} for name, each in values.items()}
        histogram = score_histogram(maps / "scores.png", spread)
        galleries = medium.galleries(job, judged, values[document.shown])
    figures = {
        "training": Figure(training, ""),
        "scores": Figure(histogram, f"Judged {medium.name}, by label"),
        **galleries,
    }
    with outcome.clock("write"):
        files = write_report_files(job, _Page(medium, document, figures).page(job, unit))
    outcome.files += [written(path) for path in (*(figure.path for figure in figures.values()), *files)]
    return outcome


def _groups(judged: Judged) -> dict[str, Array]:
    """Name -> rows of the label of normal ones and of the most frequent others; the rest together."""
    counts = Counter(judged.labels.tolist())
    usual = {label for label in counts if judged.known and (judged.normal & (judged.labels == label)).any()}
    order = sorted(counts, key=lambda label: (label not in usual, -counts[label], label))
    groups = {label or "no label": judged.labels == label for label in order[:MOST_GROUPS]}
    if rest := order[MOST_GROUPS:]:
        groups[f"{len(rest)} other labels"] = np.isin(judged.labels, rest)
    return groups


@dataclass(frozen=True, slots=True)
class _Page:
    """What the sections of the report are made of."""

    medium: Medium
    document: Evaluation
    figures: dict[str, Figure]

    def page(self, job: Job[Any], unit: Unit) -> ReportPage:
        document, names, seen = self.document, self.medium.name, self.medium.seen
        facts = [
            (f"{names} trained on", f"{document.trained:,}"),
            (f"{names} scored unseen" if document.unseen else f"{names} scored", f"{document.judged:,}"),
            ("subjects of these", f"{document.subjects:,}"),
            ("rejected", str(len(rejected_rows(job.folder)))),
        ]
        best = document.scores[document.shown].detected
        if best:
            interval = f"{best.auroc:.3f}" + (f" [{best.low:.3f}, {best.high:.3f}]" if best.low is not None else "")
            facts.append((f"AUROC, {called(document.shown)}", interval))
        galleries = [image(figure) for name, figure in self.figures.items() if name not in ("training", "scores")]
        body = [
            Section(
                "What the scores find",
                text=self.reading(),
                tables=(_table(document, self.medium.seen), *_differences(document)),
                figures=(image(self.figures["scores"]),),
            ),
            Section(f"The least and the most unlike {seen}", text=self.on_galleries(), figures=tuple(galleries)),
            Section(
                "Does a score follow grey values alone?",
                text=(
                    f"Rank correlation of each score with properties that need no model, over normal {names} that are judged. "
                    "A score that follows one of them finds what is dark, plain or differently stored before what is unusual.",
                ),
                tables=(_tone_table(document),),
            ),
            *closing_sections(job, unit, training=self.figures["training"].path),
        ]
        return ReportPage(
            title=f"Anomalies: {name_of(job)}",
            subtitle=headline(document, names, seen),
            facts=tuple(facts),
            cautions=tuple(_cautions(document, names)),
            sections=tuple(body),
            footer=f"tile-engine {read_run(job.folder).tile_engine}. Names, dates and numbers of patients in the files were "
            "not kept.",
        )

    def reading(self) -> tuple[str, ...]:
        document, names = self.document, self.medium.name
        labels = ", ".join(f"{label or 'no label'} {count:,}" for label, count in document.labels.items())
        judged = f"Figures are of {names} whose subjects were not trained on: {labels}."
        if not document.unseen:
            judged = f"Networks learned all {names}, and these are scored: {labels}."
        about = (judged, *filter(None, (self.medium.score,)))
        if not document.normal:
            return (*about, f"Labels do not tell normal {names} from enough others, so no score can be judged here.")
        noun = names.removesuffix("s")
        return (
            *about,
            f"AUROC is the share of pairs of a {noun} labelled {document.normal} and one with another label that a score puts "
            "in the right order: 0.5 is chance. Intervals are of 95 %, by the bootstrap over subjects. The last rows, from "
            "mean intensity on, need no model.",
        )

    def on_galleries(self) -> tuple[str, ...]:
        where = "where its reconstruction is wrong"
        if self.document.shown in OF_SPOTTERS:
            where = "where the networks that saw pasted anomalies find one"
        return (
            f"Sorted by {called(self.document.shown)}, a score of the whole image. Beside each, in orange, {where}; full "
            "colour is sure.",
        )


def image(figure: Figure) -> Image:
    return Image(figure.path, figure.caption)


def _table(document: Evaluation, seen: str) -> Table:
    others = sorted({label for score in document.scores.values() for label in score.by_label})
    many = len(others) > 1
    columns = [Column("score"), Column("AUROC", "number"), Column("95 %"), Column("AUPRC", "number"), Column("95 %")]
    single = any(score.single is not None for score in document.scores.values())
    columns += [Column(f"AUROC, single {seen}", "number")] * single
    columns += [Column(f"AUROC, {label}", "number") for label in others if many]
    rows: list[tuple[Cell, ...]] = []
    marked = list(document.scores).index(document.shown)
    for name, score in (*document.scores.items(), *document.properties.items()):
        by_label = (score.by_label.get(label) for label in others if many)
        rows.append((called(name), *_detected(score), *((score.single,) if single else ()), *by_label))
    return Table(tuple(columns), tuple(rows), marked=frozenset({marked}))


def _detected(score: Score) -> tuple[Cell, ...]:
    one = score.detected
    if one is None:
        return (None, "", None, "")
    return (one.auroc, _interval(one.low, one.high), one.auprc, _interval(one.auprc_low, one.auprc_high))


def _interval(low: float | None, high: float | None) -> str:
    return "few subjects" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _differences(document: Evaluation) -> Iterator[Table]:
    """The shown score beside each property of grey values."""
    if document.differences:
        columns = (
            Column(f"AUROC of {called(document.shown)} less that of"),
            Column("difference", "number"),
            Column("95 %"),
        )
        rows = tuple((called(d.name), d.difference, _interval(d.low, d.high)) for d in document.differences)
        yield Table(columns, rows, caption="Properties are turned round where they are below 0.5.")


def _tone_table(document: Evaluation) -> Table:
    names = list(document.properties)
    rows = [(called(score), *(one.tone.get(name) for name in names)) for score, one in document.scores.items()]
    return Table((Column("score"), *(Column(called(name), "number") for name in names)), tuple(rows))


def _cautions(document: Evaluation, names: str) -> Iterator[Caution]:
    for note in document.notes:
        yield noted(note)
    if not document.judged:
        yield Caution(f"No {names} were judged.", "None that was not trained on has a score.")
    shown = document.scores[document.shown]
    followed = [name for name, rank in shown.tone.items() if rank is not None and abs(rank) >= STRONG_TONE]
    if followed:
        tones = " and ".join(called(name) for name in followed)
        yield Caution(
            "The score follows grey values.",
            f"{called(document.shown)} goes with {tones} of normal {names}: it may rank {names} by how they were taken or "
            "stored.",
        )
    if shown.detected is None:
        return
    as_well = [one for one in document.differences if one.low is not None and one.low <= 0]
    if as_well:
        areas = "; ".join(f"{called(d.name)} {d.difference:+.3f} [{d.low:+.3f}, {d.high:+.3f}]" for d in as_well)
        yield Caution(
            f"What needs no model may tell the {names} apart as well: {', '.join(called(one.name) for one in as_well)}.",
            f"Area of {called(document.shown)} less that of each: {areas}. The labels may go with how {names} were taken or "
            "stored.",
        )
    low, high = shown.detected.low, shown.detected.high
    if low is not None and high is not None and high < 0.5:
        yield Caution("The score is turned round.", f"Normal {names} score higher than others.")
    elif low is not None and low <= 0.5:
        yield Caution("The score may be no better than chance.", "Its interval holds 0.5.")
