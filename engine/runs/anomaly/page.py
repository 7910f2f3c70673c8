"""page: report.html of a run that scores films: what each score finds, the most and the least unlike films, and cautions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ....stores.array import StoredArray, written
from ....stores.folder import Folder
from ....stores.frame import Array, Box
from ...pipeline.documents import read_document, read_run, rejected_rows
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.film_gallery import ShownFilm, film_gallery
from ...show.page import Caution, Column, Image, ReportPage, Section, Table
from ...show.report import write_report
from ...show.score_histogram import score_histogram
from ...show.spreadsheet import Cell
from ...show.training_curves import training_curves
from ...steps.checkpoints import ModelRecord
from ...steps.films.index import film_index
from ...steps.films.layout import IMAGES
from ...steps.report import histories_of, name_of, run_closing_sections
from .documents import EVALUATION, Evaluation, Score
from .evaluate import judged_of
from .score import ERROR, EVIDENCE, NAMES, OF_SPOTTERS, scores_of
from .settings import AnomalySettings
from .split import parts_of
from .train import VAE

SHOWN_FILMS = 16
"""Films of a gallery."""
STRONG_TONE = 0.5
"""Rank correlation from which a score is said to follow a property of grey values."""
MAP_PERCENTILE = 99.5
"""Of all pixels of the films in a gallery: the value that is drawn in full colour."""


def write_page(job: Job[AnomalySettings], unit: Unit) -> Outcome:
    """Draw the pictures and write the report."""
    outcome = Outcome()
    maps, pictures = job.folder.out / "maps", dict[str, Path]()
    with outcome.clock("read"):
        document = read_document(job.folder, EVALUATION, Evaluation)
        index, scores = film_index(job.folder), scores_of(job.folder)
        judged = judged_of(index, parts_of(job.folder), job.settings)
    with outcome.clock("compute"):
        trained = [(VAE, "autoencoder", ModelRecord), ("spotter-1", "pasted anomalies", ModelRecord)]
        pictures["training"] = training_curves(maps / "training.png", histories_of(job, trained))
        groups = {label or "no label": judged.labels == label for label in sorted(set(judged.labels))}
        values = {name: scores[name][judged.rows] for name in NAMES}
        spread = {name: {group: each[rows] for group, rows in groups.items()} for name, each in values.items()}
        pictures["scores"] = score_histogram(maps / "scores.png", spread)
        shown = values[document.shown]
        order = np.argsort(-shown, kind="stable")
        for name, title, chosen in (
            ("worst", "Least like the training films", order[:SHOWN_FILMS]),
            ("best", "Most like the training films", order[::-1][:SHOWN_FILMS]),
        ):
            lines = [
                (f"{shown[i]:.4g}  {judged.labels[i]}".strip(), str(index.texts["name"][judged.rows[i]]))
                for i in chosen
            ]
            films = shown_films(job.folder, judged.rows[chosen], lines, map_of(document.shown))
            pictures[name] = film_gallery(maps / f"{name}.png", films, title=f"{title}: {document.shown}")
    with outcome.clock("write"):
        pictures["report"] = write_report(job.folder.report, _page(job, unit, pictures, document))
    outcome.files += [written(path) for path in pictures.values()]
    return outcome


def map_of(score: str) -> str:
    """The array of films.zarr that maps a score."""
    return EVIDENCE if score in OF_SPOTTERS else ERROR


def shown_films(folder: Folder, rows: Array, lines: list[tuple[str, ...]], evidence: str) -> list[ShownFilm]:
    """Films of a gallery, with a map of them."""
    images, maps = (StoredArray.open(folder.films / name) for name in (IMAGES, evidence))
    side = images.spec.shape[-1]
    boxes = [Box((int(row), 0, 0), (int(row) + 1, side, side)) for row in rows]
    values = [maps.read(box)[0].astype(np.float32) for box in boxes]
    top = max(float(np.percentile(values, MAP_PERCENTILE)), 1e-6) if values else 1.0
    return [
        ShownFilm(images.read(box)[0], text, error / top) for box, text, error in zip(boxes, lines, values, strict=True)
    ]


def _page(job: Job[AnomalySettings], unit: Unit, pictures: dict[str, Path], document: Evaluation) -> ReportPage:
    run = read_run(job.folder)
    facts = [
        ("films trained on", f"{document.trained:,}"),
        ("films scored unseen", f"{document.judged:,}"),
        ("subjects of these", f"{document.subjects:,}"),
        ("rejected", str(len(rejected_rows(job.folder)))),
    ]
    best = document.scores[document.shown].detected
    if best:
        facts.append(
            (f"AUROC, {document.shown.replace('_', ' ')}", f"{best.auroc:.3f} [{best.low:.3f}, {best.high:.3f}]")
        )
    body = [
        Section(
            "What the scores find",
            text=_reading(document),
            tables=(_table(document),),
            figures=(Image(pictures["scores"], "Films that were not trained on, by label"),),
        ),
        Section("The least and the most unlike films", text=_galleries(document), figures=_gallery_images(pictures)),
        Section(
            "Does a score follow grey values alone?",
            text=(
                "Rank correlation of each score with properties that need no model, over normal films that were not trained on. "
                "A score that follows one of them finds dark, plain or differently stored films before unusual ones.",
            ),
            tables=(_tone_table(document),),
        ),
        *run_closing_sections(job, unit, training=pictures["training"]),
    ]
    return ReportPage(
        title=f"Anomalies: {name_of(job)}",
        subtitle="How unlike the films that were trained on each film is.",
        facts=tuple(facts),
        cautions=tuple(_cautions(document)),
        sections=tuple(body),
        footer=f"tile-engine {run.tile_engine}. Names, dates and numbers of patients in the files were not kept.",
    )


def _reading(document: Evaluation) -> tuple[str, ...]:
    labels = ", ".join(f"{label or 'no label'} {count:,}" for label, count in document.labels.items())
    unseen = f"Figures are of films whose subjects were not trained on: {labels}."
    if not document.normal:
        return (unseen, "No label tells normal films from others, so no score can be judged here.")
    return (
        unseen,
        f"AUROC is the share of pairs of a film labelled {document.normal} and one with another label that a score puts in the "
        "right order: 0.5 is chance. Intervals are of 95 %, by the bootstrap over subjects. Rows below the line need no model.",
    )


def _galleries(document: Evaluation) -> tuple[str, ...]:
    where = "where its reconstruction is wrong"
    if map_of(document.shown) == EVIDENCE:
        where = "where the networks that saw pasted anomalies find one"
    return (f"Sorted by {document.shown.replace('_', ' ')}. Beside each film, in orange, {where}.",)


def _gallery_images(pictures: dict[str, Path]) -> tuple[Image, ...]:
    return (
        Image(pictures["worst"], "Least like the training films first: score and label"),
        Image(pictures["best"], "Most like the training films first: score and label"),
    )


def _table(document: Evaluation) -> Table:
    others = sorted({label for score in document.scores.values() for label in score.by_label})
    many = len(others) > 1
    columns = [Column("score"), Column("AUROC", "number"), Column("95 %"), Column("AUPRC", "number"), Column("95 %")]
    columns += [Column(f"AUROC, {label}", "number") for label in others if many]
    rows: list[tuple[Cell, ...]] = []
    marked = list(document.scores).index(document.shown)
    for name, score in (*document.scores.items(), *document.properties.items()):
        rows.append((_called(name), *_detected(score), *(score.by_label.get(label) for label in others if many)))
    return Table(tuple(columns), tuple(rows), marked=frozenset({marked}))


def _detected(score: Score) -> tuple[Cell, ...]:
    one = score.detected
    if one is None:
        return (None, "", None, "")
    return (
        one.auroc, f"{one.low:.3f} to {one.high:.3f}", one.auprc, f"{one.auprc_low:.3f} to {one.auprc_high:.3f}",
    )  # fmt: skip


def _tone_table(document: Evaluation) -> Table:
    names = list(document.properties)
    rows = [(_called(score), *(one.tone.get(name) for name in names)) for score, one in document.scores.items()]
    return Table((Column("score"), *(Column(_called(name), "number") for name in names)), tuple(rows))


def _called(name: str) -> str:
    return {"negative_elbo": "−ELBO", "iwae": "−IWAE"}.get(name, name.replace("_", " "))


def _cautions(document: Evaluation) -> Iterator[Caution]:
    for note in document.notes:
        yield Caution("Training films", note[:1].upper() + note[1:] + ".")
    shown = document.scores[document.shown]
    followed = [name for name, rank in shown.tone.items() if rank is not None and abs(rank) >= STRONG_TONE]
    if followed:
        names = " and ".join(_called(name) for name in followed)
        yield Caution(
            "The score follows grey values",
            f"{_called(document.shown)} goes with {names} of normal films: it may rank films by how they were taken or stored.",
        )
    if shown.detected is None:
        return
    plain = {n: abs((s.detected.auroc or 0.5) - 0.5) for n, s in document.properties.items() if s.detected}
    for name, distance in plain.items():
        if distance >= abs((shown.detected.auroc or 0.5) - 0.5):
            yield Caution(
                "A property without any model tells the films apart as well",
                f"{_called(name)} alone has AUROC {document.properties[name].detected.auroc:.3f}: the labels may go with how films "
                "were taken or stored.",
            )
    if shown.detected.low is not None and shown.detected.low <= 0.5:
        yield Caution("The score may be no better than chance", "Its interval holds 0.5.")
