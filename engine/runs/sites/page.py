"""page: report.html of a run that names sites: figures and controls, where the site is found, and whether maps say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....stores.array import written
from ....stores.frame import Array
from ...pipeline.documents import read_document, read_run
from ...pipeline.image_documents import rejected_rows
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.deletion_plot import deletion_plot
from ...show.evidence_overlay import EvidencePanel, draw_evidence
from ...show.page import Caution, Image, ReportPage, Section
from ...show.training_curves import training_curves
from ...steps.report import closing_sections, histories_of, name_of
from ...steps.report_files import write_report_files
from ...steps.volumes.planes import seen
from .cautions import cautions_of
from .documents import EVALUATION, EXPLANATIONS, Evaluation, Explanations, SiteRecord
from .evaluate import NETWORK, Probabilities
from .networks import training_units
from .page_tables import checks_table, confusion_table, headers_table, methods_table, misnamed_table, shuffled_table
from .settings import FoldSettings
from .verdict import headline

Panels = Callable[[Job[Any], Sequence[str]], list[EvidencePanel]]
"""(job, headings by image) -> panels of some images."""


def write_page(job: Job[FoldSettings], unit: Unit, *, probabilities: Probabilities, panels: Any) -> Outcome:
    """Draw the pictures and write the report."""
    outcome = Outcome()
    maps, pictures = job.folder.out / "maps", dict[str, Path]()
    with outcome.clock("read"):
        explanations = read_document(job.folder, EXPLANATIONS, Explanations)
        values = probabilities(job)
    with outcome.clock("compute"):
        names = [unit.name for unit in training_units(job, "networks")][:6]
        histories = histories_of(job, [(name, name, SiteRecord) for name in names])
        pictures["training"] = training_curves(maps / "training.png", histories)
        if explanations.maps and (shown := panels(job, values)):
            pictures["evidence"] = draw_evidence(maps / "evidence.png", shown)
        if explanations.checks:
            curves = {
                "most evidence first": np.array([c.deleted for c in explanations.checks], float),
                "at random": np.array([c.random for c in explanations.checks], float),
            }
            shares = [float(share or 0) for share in explanations.shares]
            pictures["deletion"] = deletion_plot(maps / "deletion.png", shares, curves)
    with outcome.clock("write"):
        page = _page(job, unit, pictures, explanations=explanations, values=values)
        files = write_report_files(job, page)
    outcome.files += [written(path) for path in (*pictures.values(), *files)]
    return outcome


def _page(
    job: Job[FoldSettings], unit: Unit, pictures: dict[str, Path], *, explanations: Explanations, values: Array
) -> ReportPage:
    run, document = read_run(job.folder), read_document(job.folder, EVALUATION, Evaluation)
    facts = [
        (job.modality.name, str(document.images)),
        ("subjects", str(document.subjects)),
        ("sites", str(len(document.sites))),
        ("rejected", str(len(rejected_rows(job.folder)))),
    ]
    body = []
    if sum(document.counts):  # images of unknown site count in no figure
        figure = document.methods[NETWORK]
        facts.append(("accuracy", f"{figure.accuracy:.3f} [{figure.low:.3f}, {figure.high:.3f}]"))
        facts.append(("majority", f"{document.majority:.3f}"))
        body += list(_figures(job, document))
    body.append(Section("What the headers say", tables=(headers_table(document),)))
    body += list(_explained(pictures, explanations, "" if job.modality.planar else seen(job)))
    if (wrong := misnamed_table(job, document, values)).rows:
        body.append(Section("Images of which another site was named", tables=(wrong,), folded=len(wrong.rows) > 12))
    body += closing_sections(job, unit, training=pictures["training"])
    return ReportPage(
        title=f"Sites: {name_of(job)}",
        subtitle=headline(document, job.modality.name),
        facts=tuple(facts),
        cautions=tuple(Caution(*one) for one in cautions_of(job, document, explanations)),
        sections=tuple(body),
        footer=f"tile-engine {run.tile_engine}. Headers, names and private tags of the files were not kept.",
    )


def _figures(job: Job[FoldSettings], document: Evaluation) -> Iterator[Section]:
    yield Section("How well the site is named", text=_reading(job, document), tables=(methods_table(document),))
    yield Section(
        "Shuffled sites",
        text=(
            "The sites were shuffled among subjects, learned and judged anew: what is found then is what the evaluation "
            "finds where there is nothing to find. It should lie near the majority's accuracy, or near one in "
            f"{len(document.sites)} where sites are equally frequent.",
        ),
        tables=(shuffled_table(document),),
    )
    yield Section("Which sites are taken for which", tables=(confusion_table(document),))


def _reading(job: Job[FoldSettings], document: Evaluation) -> tuple[str, ...]:
    parts = ", ".join(f"{name}: {n.trained} for training, {n.judged} judged" for name, n in document.folds.items())
    return (
        f"Folds are by subject ({parts}); every figure is of {job.modality.name} whose subjects were not trained on. Intervals "
        f"are Wilson's, of 95 %; they count {job.modality.name} of one subject as independent.",
    )


def _explained(pictures: dict[str, Path], explanations: Explanations, seen: str) -> Iterator[Section]:
    if "evidence" in pictures:
        yield Section(
            "Where the site is found",
            text=(
                "Grad-CAM of the network that did not see the subject, for the site that it names; gradients stay in place. "
                "Bright is where the network's evidence is strongest; an image without a bright place has none above the rest.",
                *filter(None, (seen,)),
            ),
            figures=(Image(pictures["evidence"], "Above the image, below it with its evidence: layers/gradcam"),),
            tables=(checks_table(explanations),),
        )
    if "deletion" in pictures:
        yield Section(
            "Do the maps say what decides?",
            text=(
                "Where the evidence decides, deleting it first makes the site less likely sooner than deleting at random.",
            ),
            figures=(Image(pictures["deletion"]),),
        )
