"""page: report.html of a run that classifies films: figures, curves, sites, the most and the least expected films, cautions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ....stores.array import StoredArray, written
from ....stores.frame import Array, Box
from ...pipeline.documents import read_document, read_run
from ...pipeline.image_documents import rejected_rows
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.classifier_curves import classifier_curves
from ...show.film_gallery import ShownFilm, film_gallery
from ...show.page import Image, ReportPage, Section
from ...show.training_curves import training_curves
from ...steps.checkpoints import read_record
from ...steps.films.layout import IMAGES
from ...steps.report import closing_sections, histories_of, name_of
from ...steps.report_files import write_report_files
from .cautions import cautions_of
from .cohort import FilmCohort, cohort_of
from .documents import EVALUATION, ClassifierRecord, Evaluation, Folds, PretrainedRecord
from .evaluate import Judged, judged_of
from .folds import folds_of
from .losses import losses_of
from .page_tables import (
    comparisons_table,
    confound_table,
    confusion_table,
    figures_table,
    matrix_table,
    parts_table,
    sites_table,
    text_of,
)
from .probabilities import GRADCAM, Judgement, judgement_of
from .settings import JudgedFilmSettings
from .starts import PRETRAINED
from .trained import FINAL
from .verdict import headline

SHOWN_FILMS = 16
"""Films of a gallery."""
MAP_PERCENTILE = 99.5
"""Of all pixels of a film's map: the value that is drawn in full colour."""
Pictures = dict[str, Path]


def write_page(job: Job[JudgedFilmSettings], unit: Unit) -> Outcome:
    """Draw the pictures and write the report."""
    outcome = Outcome()
    maps, pictures = job.folder.out / "maps", Pictures()
    with outcome.clock("read"):
        document, folds, judgement = (
            read_document(job.folder, EVALUATION, Evaluation),
            folds_of(job.folder),
            judgement_of(job.folder),
        )
        cohort = cohort_of(job).numbered_as(folds.classes)
        judged = judged_of(cohort, judgement)
    with outcome.clock("compute"):
        pictures["training"] = training_curves(maps / "training.png", _histories(job))
        pictures["curves"] = _curves(maps / "curves.png", judged, folds)
        pictures |= _galleries(job, cohort, judgement)
    with outcome.clock("write"):
        files = write_report_files(job, _page(job, unit, pictures, document))
    outcome.files += [written(path) for path in (*pictures.values(), *files)]
    return outcome


def _histories(job: Job[JudgedFilmSettings]) -> list[dict[str, Any]]:
    """The histories of the network to start from, and of each stage of the final one."""
    final = read_record(job, FINAL, ClassifierRecord)
    names = [f"final network {stage.name}" for stage in final.stages]
    rows = [{**row, "stage": names[int(row.get("stage") or 0)]} for row in final.history]
    return [*histories_of(job, [(PRETRAINED, "the other task", PretrainedRecord)]), *rows]


def _curves(path: Path, judged: Judged, folds: Folds) -> Path:
    from ....models.evaluation.calibration import reliability

    if not judged.both:
        return classifier_curves(path, {}, [])
    mean = judged.probability.mean(0)
    table = reliability(mean, judged.labels, bins=10)
    bins = list(zip(table.confidence.tolist(), table.accuracy.tolist(), table.cases.tolist(), strict=True))
    if len(folds.classes) > 2:
        each = {name: ((judged.labels == k).astype(int), mean[:, k]) for k, name in enumerate(folds.classes)}
        return classifier_curves(path, {name: pair for name, pair in each.items() if pair[0].any()}, bins)
    ill, named = judged.labels == 1, judged.named
    point = (float(named[:, ~ill].mean()), float(named[:, ill].mean()))
    return classifier_curves(path, {"network": (judged.labels, mean[:, 1])}, bins, point=point)


def _galleries(job: Job[JudgedFilmSettings], cohort: FilmCohort, judgement: Judgement) -> Pictures:
    """Labelled films of least and of most cross-entropy; without labels, those of the surest answers for either class."""
    losses = losses_of(judgement, cohort)
    rows = np.flatnonzero(np.isfinite(losses))
    titles = {"lowest": "Lowest cross-entropy", "highest": "Highest cross-entropy"}
    order = rows[np.argsort(losses[rows], kind="stable")]
    if not len(rows):
        rows = np.flatnonzero(judgement.judged)
        order = rows[np.argsort(judgement.mean[rows, -1], kind="stable")]
        last = cohort.classes[-1]
        titles = {"lowest": f"Lowest probability of {last}", "highest": f"Highest probability of {last}"}
    pictures = Pictures()
    for name, chosen in (("lowest", order[:SHOWN_FILMS]), ("highest", order[::-1][:SHOWN_FILMS])):
        path = job.folder.out / "maps" / f"{name}.png"
        pictures[name] = film_gallery(path, _shown(job, cohort, judgement, chosen), title=titles[name])
    return pictures


def _shown(job: Job[JudgedFilmSettings], cohort: FilmCohort, judgement: Judgement, rows: Array) -> list[ShownFilm]:
    named, mean, texts = judgement.named(), judgement.mean, cohort.index.texts
    images = StoredArray.open(job.folder.films / IMAGES)
    evidence = StoredArray.open(job.folder.films / GRADCAM) if job.settings.gradcam else None
    side = images.spec.shape[-1]
    films = []
    for row in map(int, rows):
        box = Box((row, 0, 0), (row + 1, side, side))
        answer = f"named {cohort.classes[named[row]]}, p {mean[row, named[row]]:.3f}"
        lines = (f"is {texts['label'][row]}" if texts["label"][row] else "no label", answer, str(texts["name"][row]))
        films.append(
            ShownFilm(images.read(box)[0], lines, None if evidence is None else _scaled(evidence.read(box)[0]))
        )
    return films


def _scaled(values: Array) -> Array:
    """A map in [0, 1] of its own strongest evidence."""
    numbers = values.astype(np.float32)
    return np.asarray(np.clip(numbers / max(float(np.percentile(numbers, MAP_PERCENTILE)), 1e-6), 0, 1))


def _page(job: Job[JudgedFilmSettings], unit: Unit, pictures: Pictures, document: Evaluation) -> ReportPage:
    run, folds = read_run(job.folder), folds_of(job.folder)
    facts = [
        ("films judged", f"{sum(document.films.values()):,}"),
        ("subjects of these", f"{document.subjects:,}"),
        ("rejected", str(len(rejected_rows(job.folder)))),
    ]
    if document.network:
        facts += [
            ("AUROC", text_of(document.network["auroc"])),
            ("accuracy", text_of(document.network["accuracy"])),
            ("majority", f"{document.majority or 0:.3f}"),
        ]
    return ReportPage(
        title=f"Classes: {name_of(job)}",
        subtitle=headline(document, " and ".join(folds.classes), _networks(folds)),
        facts=tuple(facts),
        cautions=tuple(cautions_of(document)),
        sections=(
            *_sections(pictures, document, folds),
            *closing_sections(job, unit, training=pictures["training"]),
        ),
        footer=f"tile-engine {run.tile_engine}. Names, dates and numbers of patients in the files were not kept.",
    )


def _networks(folds: Folds) -> str:
    """Who judges the films."""
    if any(sizes.train for sizes in folds.networks.values()):
        return "networks that did not see the films' subjects"
    return "the final network of another run"


def _sections(pictures: Pictures, document: Evaluation, folds: Folds) -> Iterator[Section]:
    if document.network:
        tables = [figures_table(document)]
        tables += [comparisons_table(document)] if document.comparisons else []
        text = (
            f"Films are judged by {_networks(folds)}. Threshold and calibration were set on validation films of the network's "
            "own training part. Intervals are of 95 %, by the bootstrap over subjects. Rows of "
            "properties need no network: an area far from 0.5 there says that labels go with how films were taken or stored.",
        )
        yield Section(
            "How well the films are classified", text=text, tables=tuple(tables), figures=(Image(pictures["curves"]),)
        )
        yield Section("Which labels are taken for which", tables=(confusion_table(document),))
    else:
        yield Section(
            "How well the films are classified",
            text=("The judged films do not have two labels that the network knows, so it cannot be judged here.",),
            tables=(confusion_table(document),) if document.films else (),
        )
    yield Section(
        "The most and the least expected films",
        text=(
            "Cross-entropy is low where the probability of the film's own label is high. In orange: Grad-CAM of "
            "what the first network that judges a film names.",
        ),
        figures=(
            Image(pictures["lowest"], "Surest and right first"),
            Image(pictures["highest"], "Surest and wrong first"),
        ),
    )
    if document.sites:
        tables = [sites_table(document)]
        tables += [matrix_table(document)] if document.site_matrix else []
        tables += [confound_table(document)] if document.confound else []
        yield Section(
            "Sites", tables=tuple(tables), text=("A figure of one site is of the films that its subjects have there.",)
        )
    yield Section("Who is where", tables=(parts_table(folds),), folded=len(folds.networks) > 6)
