"""page: pictures and report of a run on whole volumes: embeddings in the plane, reconstructions, training, report.html."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....stores.array import written
from ....stores.frame import Array
from ....stores.tables import read_table
from ...pipeline.documents import read_document, read_run
from ...pipeline.image_documents import rejected_rows
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.page import Caution, Column, Image, ReportPage, Section, Table
from ...show.reconstructions import ReconstructedVolume, draw_reconstructions
from ...show.training_curves import training_curves
from ...show.volume_plane import volume_plane
from ...steps.checkpoints import find_record
from ...steps.covariates import covariates
from ...steps.layouts import NO_LAYOUT, layout_in
from ...steps.report import closing_sections, histories_of, name_of
from ...steps.report_files import write_report_files
from ...steps.volumes.dataset import Volumes, grid_of
from ...steps.volumes.encode import ENCODED, embeddings, errors
from ...steps.volumes.networks import NetworkRecord, load_network, model_name
from ...steps.volumes.plane_columns import not_drawn, plane_columns
from ...steps.volumes.planes import seen
from .documents import EVALUATION, Evaluation, Figure
from .evaluate import COMPONENTS, RAW, best
from .folds import trainings
from .settings import EmbedSettings
from .table import OWN_COLUMNS
from .verdict import below_chance, headline

SHOWN = 6
"""Number of volumes whose reconstructions are shown."""


def write_page(job: Job[EmbedSettings], unit: Unit) -> Outcome:
    """Draw the pictures and write the report."""
    outcome = Outcome()
    maps = job.folder.out / "maps"
    with outcome.clock("read"):
        table = read_table(job.folder.out / "tables" / "volumes.zarr")
    pictures: dict[str, Path] = {}
    with outcome.clock("compute"):
        columns, more = plane_columns(table.obs, (name for name in table.obs if name not in OWN_COLUMNS))
        columns = {job.settings.label if name == "label" else name: values for name, values in columns.items()}
        for kind in ("tsne", "umap"):
            places, method = layout_in(table, kind) or (None, NO_LAYOUT)
            if places is not None and method not in pictures:  # of few volumes both are principal components
                pictures[method] = volume_plane(maps / f"{method}.png", places, columns, title=PLANES[method])
        pictures["reconstructions"] = _panels(job, maps / "reconstructions.png")
        pictures["training"] = training_curves(maps / "training.png", _histories(job))
    with outcome.clock("write"):
        files = write_report_files(job, _page(job, unit, pictures, more))
    outcome.files += [written(path) for path in (*pictures.values(), *files)]
    return outcome


KEY_FIGURES = ("macro precision@1", "macro map", "k-means balanced accuracy", "rmse %")
"""Figures that the page shows first."""
WORDS = {
    "macro precision@1": "nearest volume of the same class, mean over classes",
    "rmse %": "error of reconstruction, %",
}
WIDENED = ", and their intervals are widened as folds learn from each other's volumes"
PLANES = {
    "tsne": "t-SNE of the embeddings",
    "umap": "UMAP of the embeddings",
    "pca": "Principal components of the embeddings",
}


def _panels(job: Job[EmbedSettings], path: Path) -> Path:
    """Draw some volumes and their reconstructions, from the lowest to the highest error."""
    from ....models.training.encoding import reconstructions

    network = best(job)
    rmse = np.sqrt(errors(job, network))
    order = np.argsort(rmse, kind="stable")
    rows = order[np.unique(np.linspace(0, len(order) - 1, SHOWN).round().astype(int))]
    records = list(job.slides.values())
    pairs = []
    for index, volumes, outputs in reconstructions(load_network(job, model_name(network)), Volumes(job, rows), ENCODED):
        for i, volume, output in zip(index, volumes, outputs, strict=True):
            row = int(rows[i])
            name, sided = records[row].name, not records[row].assumed_orientation
            pairs.append(ReconstructedVolume(name, float(rmse[row]), volume[0], output[0], sided))
    spacing = grid_of(job).spacing or (1.0, 1.0, 1.0)
    return draw_reconstructions(path, pairs, spacing=spacing)


def _histories(job: Job[EmbedSettings]) -> list[dict[str, Any]]:
    names = [model_name(*one) for one in list(trainings(job))[:6]]
    return histories_of(job, [(name, name, NetworkRecord) for name in names])


def _page(job: Job[EmbedSettings], unit: Unit, pictures: dict[str, Path], more: Sequence[str]) -> ReportPage:
    run, document = read_run(job.folder), read_document(job.folder, EVALUATION, Evaluation)
    rejected = rejected_rows(job.folder)
    what, grid = covariates(job), grid_of(job)
    sites = {r.site for r in job.slides.values() if r.site}
    facts = (
        ("volumes", str(len(job.slides))),
        ("subjects", str(len(set(what.subjects.tolist())))),
        ("rejected", str(len(rejected))),
        ("classes", _classes(job, document)),
        ("sites", str(len(sites)) if sites else "none stated"),
        (
            "network input",
            " × ".join(map(str, grid.shape)) + (f" at {grid.spacing[0] / 1000:.3g} mm"),
        ),
        ("embedding", f"{embeddings(job, best(job)).shape[1]} numbers"),
    )
    planes = tuple(Image(pictures[method], title) for method, title in PLANES.items() if method in pictures)
    in_plane = [Section("Volumes in the plane", not_drawn(more), figures=planes)] if planes else []
    key_figures = _table(job, document, key=True)
    body = [
        Section(
            "Evaluation of the embeddings",
            text=_evaluation_text(document),
            tables=(key_figures,),
        ),
        *in_plane,
        Section(
            "Reconstructions",
            text=(seen(job),),
            figures=(Image(pictures["reconstructions"], "Above the volume, below its reconstruction"),),
        ),
    ]
    if len((every := _table(job, document, key=False)).rows) > len(key_figures.rows):
        body.append(Section("All figures", tables=(every,), folded=True))
    body += closing_sections(job, unit, training=pictures["training"])
    return ReportPage(
        title=f"Embedding: {name_of(job)}",
        subtitle=headline(document, best(job), job.settings.label),
        facts=facts,
        cautions=tuple(_cautions(job, document)),
        sections=tuple(body),
        footer=f"tile-engine {run.tile_engine}. Headers, names and private tags of the files were not kept.",
    )


def _classes(job: Job[EmbedSettings], document: Evaluation) -> str:
    """The classes, how many volumes each has, and the column of the list that names them."""
    counts = ", ".join(f"{name} ({count})" for name, count in document.classes.items())
    column = job.settings.label
    return f"{counts}; column {column}" if counts and column != "label" else counts or "none stated"


def _evaluation_text(document: Evaluation) -> tuple[str, ...]:
    if not document.by_subject:
        return (
            "There are no folds: the figures are of volumes that the network was trained on, and say little about others.",
        )
    parts = ", ".join(
        f"{name}: {n.trained} for training, {n.judged} for evaluation" for name, n in document.folds.items()
    )
    return (
        "Every figure is of volumes whose subjects the network was not trained on: mean ± standard deviation over folds, with "
        "the 95 % interval of the mean for three folds or more. Intervals of probes come from a bootstrap over subjects. Areas "
        f"under the curve (AUC) and r compare volumes of the same fold{WIDENED * (len(document.folds) > 1)}. {parts}.",
        "k-means is fitted on embeddings of training volumes, with as many clusters as classes; neighbours are "
        "searched among training volumes. Matched accuracy misleads where one class is frequent: compare balanced accuracy.",
    )


def _table(job: Job[EmbedSettings], document: Evaluation, *, key: bool) -> Table:
    """The figures of all methods; with `key` those that a reader needs, without those that are the same whatever is done."""
    methods = document.methods
    names = [n for n in (*job.settings.networks, COMPONENTS, RAW) if n in methods]
    figures = list(dict.fromkeys(f for n in names for f in methods[n]))
    if key:
        probed = [f for f in figures if any(not methods[n][f].folds for n in names if f in methods[n])]
        figures = [f for f in (*KEY_FIGURES, *probed) if f in figures and not _is_trivial(document, f)]
    one = len(job.settings.networks) == 1
    columns = (
        Column("figure"),
        *(Column(f"network ({n})" if one and n in job.settings.networks else n) for n in names),
    )
    rows = [(WORDS.get(figure, figure), *(_shown(methods[n].get(figure)) for n in names)) for figure in figures]
    caption = "rmse % is relative to the range of values; all other figures but errors and r are from 0 to 1"
    return Table(columns, tuple(rows), caption=caption)


def _is_trivial(document: Evaluation, name: str) -> bool:
    """Whether a figure is the same for all methods and folds: it tells nothing of them."""
    found = [methods[name] for methods in document.methods.values() if name in methods]
    values = {value for one in found for value in (one.folds or (one.mean,))}
    return len(values) == 1 and sum(len(one.folds) or 1 for one in found) > 1


def _shown(figure: Figure | None) -> str:
    if figure is None or figure.mean is None:
        return "–"
    text = f"{figure.mean:.3f}"
    if figure.sd is not None:
        text += f" ± {figure.sd:.3f}"
    if figure.low is not None:
        text += f" [{figure.low:.3f}, {figure.high:.3f}]"
    return text


def _cautions(job: Job[EmbedSettings], document: Evaluation) -> Iterator[Caution]:
    if _folds_have_moved(job):
        yield Caution(
            "Volumes may have been judged by networks that saw their subjects.",
            "The networks were trained by an earlier version, which drew the folds otherwise where a class has few volumes. "
            "Figures may be too good: run anew with another OUT.",
        )
    if len(job.slides) < 20:
        yield Caution(
            f"There are only {len(job.slides)} volumes.", "Figures of so few volumes say little about other volumes."
        )
    if document.why:
        yield Caution("There are fewer folds than --cv asks for.", document.why)
    smallest = min(document.classes.values(), default=99)
    if smallest < 5:
        yield Caution(f"One class has {smallest} volumes.", "Figures of this class depend on single cases.")
    if below := below_chance(document.methods.get(best(job), {})):
        yield Caution(
            f"Below chance: {', '.join(below)}.",
            "This comes from few subjects, from chance among many columns, or from volumes that differ from those of training; "
            "it is no finding of the embeddings.",
        )
    pure = _site_is_class(job)
    if pure:
        yield Caution(pure, "Embeddings that separate the classes may separate the sites instead.")


def _folds_have_moved(job: Job[EmbedSettings]) -> bool:
    """Whether an earlier version drew the folds, of classes of which one has fewer volumes than there are folds."""
    names = [model_name(network, fold) for network, fold in trainings(job) if fold.startswith("fold-")]
    records = [find_record(job, name, NetworkRecord) for name in names]
    if not any(record is not None and not record.rare_classes_spread for record in records):
        return False
    return bool(np.unique(covariates(job).labels, return_counts=True)[1].min() < job.settings.cv)


def _site_is_class(job: Job[EmbedSettings]) -> str:
    what = covariates(job)
    both: Array = (what.labels >= 0) & (what.sites >= 0)
    pairs = set(zip(what.labels[both].tolist(), what.sites[both].tolist(), strict=True))
    if len({label for label, _ in pairs}) > 1 and len(pairs) == len({site for _, site in pairs}):
        return "No site has cases of more than one class."
    return ""
