"""page: pictures and report of a run on whole volumes: embeddings in the plane, reconstructions, training, report.html."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ....stores.array import written
from ....stores.frame import Array
from ....stores.tables import read_table
from ...pipeline.documents import read_document, read_run, rejected_rows
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.page import Caution, Column, Image, ReportPage, Section, Table
from ...show.reconstructions import ReconstructedVolume, draw_reconstructions
from ...show.report import write_report
from ...show.training_curves import training_curves
from ...show.volume_plane import volume_plane
from ...steps.covariates import covariates
from ...steps.report import closing_sections, histories_of
from ...steps.volumes.dataset import Volumes, grid_of
from .documents import EVALUATION, Evaluation, Figure, NetworkRecord
from .encode import ENCODED, embeddings, errors
from .evaluate import COMPONENTS, RAW, best
from .folds import WHOLE, model_name, trainings
from .networks import load_network
from .settings import EmbedSettings

SHOWN = 6
"""Number of volumes whose reconstructions are shown."""


def write_page(job: Job[EmbedSettings], unit: Unit) -> Outcome:
    """Draw the pictures and write the report."""
    outcome = Outcome()
    maps = job.folder.out / "maps"
    with outcome.clock("read"):
        table = read_table(job.folder.out / "tables" / "volumes.zarr")
    made: dict[str, Path] = {}
    with outcome.clock("compute"):
        groups = {
            "label": table.obs["label"].astype(str).to_numpy(),
            "site": table.obs["site"].astype(str).to_numpy(),
        }
        for kind in ("tsne", "umap"):
            if f"X_{kind}" in table.obsm:
                xy = np.asarray(table.obsm[f"X_{kind}"])
                title = PLANES[table.uns["tile_engine"]["umap"] if kind == "umap" else kind]
                made[kind] = volume_plane(maps / f"{kind}.png", xy, groups, title=title)
        made["reconstructions"] = _panels(job, maps / "reconstructions.png")
        made["training"] = training_curves(maps / "training.png", _histories(job))
    with outcome.clock("write"):
        made["report"] = write_report(job.folder.report, _page(job, unit, made))
    outcome.files += [written(path) for path in made.values()]
    return outcome


PLANES = {
    "tsne": "t-SNE of the embeddings",
    "umap": "UMAP of the embeddings",
    "pca": "Principal components of the embeddings",
}


def _panels(job: Job[EmbedSettings], path: Path) -> Path:
    """Draw some volumes and their reconstructions, from the lowest to the highest error."""
    from ....models.training.encoding import reconstructions

    network = best(job)
    missed = np.sqrt(errors(job, network))
    order = np.argsort(missed, kind="stable")
    rows = order[np.unique(np.linspace(0, len(order) - 1, SHOWN).round().astype(int))]
    records = list(job.slides.values())
    shown = []
    for index, before, after in reconstructions(
        load_network(job, model_name(network, WHOLE)), Volumes(job, rows), ENCODED
    ):
        for i, one, other in zip(index, before, after, strict=True):
            row = int(rows[i])
            shown.append(ReconstructedVolume(records[row].name, float(missed[row]), one[0], other[0]))
    spacing = grid_of(job).spacing or (1.0, 1.0, 1.0)
    return draw_reconstructions(path, shown, spacing=spacing)


def _histories(job: Job[EmbedSettings]) -> list[dict[str, Any]]:
    names = [model_name(*one) for one in list(trainings(job))[:6]]
    return histories_of(job, [(name, name, NetworkRecord) for name in names])


def _page(job: Job[EmbedSettings], unit: Unit, made: dict[str, Path]) -> ReportPage:
    run, found = read_run(job.folder), read_document(job.folder, EVALUATION, Evaluation)
    rejected = rejected_rows(job.folder)
    what, grid = covariates(job), grid_of(job)
    sites = {r.site for r in job.slides.values() if r.site}
    facts = (
        ("volumes", str(len(job.slides))),
        ("subjects", str(len(set(what.subjects.tolist())))),
        ("rejected", str(len(rejected))),
        ("classes", ", ".join(f"{c} ({n})" for c, n in found.classes.items()) or "none stated"),
        ("sites", str(len(sites)) if sites else "none stated"),
        (
            "network sees",
            " × ".join(map(str, grid.shape)) + (f" at {grid.spacing[0] / 1000:.3g} mm"),
        ),
        ("embedding", f"{embeddings(job, best(job)).shape[1]} numbers"),
    )
    planes = tuple(Image(made[k]) for k in ("tsne", "umap") if k in made)
    body = [Section("Volumes in the plane", figures=planes)] if planes else []
    body += [
        Section("Evaluation of the embeddings", text=_said(found), tables=tuple(_tables(job, found))),
        Section(
            "Reconstructions", figures=(Image(made["reconstructions"], "Above as it went in, below as it came out"),)
        ),
    ]
    body += closing_sections(job, unit, training=made["training"])
    return ReportPage(
        title=f"Embedding: {Path(run.input).name}",
        subtitle="One embedding per volume; search for similar cases with `tile-engine search`.",
        facts=facts,
        cautions=tuple(_cautions(job, found)),
        sections=tuple(body),
        footer=f"tile-engine {run.tile_engine}. Headers, names and private tags of the files were not kept.",
    )


def _said(found: Evaluation) -> tuple[str, ...]:
    if not found.by_subject:
        return ("There are no folds: these figures are of volumes that the network was trained on, and say little.",)
    parts = ", ".join(f"{name}: {n.trained} to train, {n.judged} to judge" for name, n in found.folds.items())
    return (
        "Every figure is of volumes whose subjects the network had not seen: mean ± standard deviation over folds, with the "
        f"95 % interval of the mean where there are several, and of probes by drawing subjects again. {parts}.",
        "k-means is fitted on embeddings of training volumes, with as many clusters as classes; neighbours are looked "
        "for among training volumes. Matched accuracy alone misleads where one class is frequent: look at the balanced one.",
    )


def _tables(job: Job[EmbedSettings], found: Evaluation) -> Iterator[Table]:
    methods = found.methods
    names = [n for n in (*job.settings.networks, COMPONENTS, RAW) if n in methods]
    figures = list(dict.fromkeys(f for n in names for f in methods[n]))
    columns = (Column("figure"), *(Column(n) for n in names))
    rows = [(figure, *(_shown(methods[n].get(figure)) for n in names)) for figure in figures]
    yield Table(
        columns, tuple(rows), caption="rmse % is of the range of values; all others are from 0 to 1 but errors and r"
    )


def _shown(figure: Figure | None) -> str:
    if figure is None or figure.mean is None:
        return "–"
    text = f"{figure.mean:.3f}"
    if figure.sd is not None:
        text += f" ± {figure.sd:.3f}"
    if figure.low is not None:
        text += f" [{figure.low:.3f}, {figure.high:.3f}]"
    return text


def _cautions(job: Job[EmbedSettings], found: Evaluation) -> Iterator[Caution]:
    if len(job.slides) < 20:
        yield Caution(f"There are only {len(job.slides)} volumes.", "Figures of so few say little about others.")
    if found.why:
        yield Caution("There are fewer folds than were asked for.", found.why)
    smallest = min(found.classes.values(), default=99)
    if smallest < 5:
        yield Caution(f"One class has {smallest} volumes.", "What is said of it hangs on single cases.")
    pure = _site_is_class(job)
    if pure:
        yield Caution(pure, "Embeddings that separate the classes may separate the sites instead.")


def _site_is_class(job: Job[EmbedSettings]) -> str:
    what = covariates(job)
    both: Array = (what.labels >= 0) & (what.sites >= 0)
    pairs = set(zip(what.labels[both].tolist(), what.sites[both].tolist(), strict=True))
    if len({label for label, _ in pairs}) > 1 and len(pairs) == len({site for _, site in pairs}):
        return "No site has cases of more than one class."
    return ""
