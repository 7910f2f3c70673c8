"""page: report.html of a run that registers sections: every pair before and after, what was rejected, and landmarks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ....stores.array import written
from ....stores.frame import Array, Frame
from ....stores.image import StoredImage
from ....stores.warps.stored import read_warp
from ....stores.warps.warp import Warp
from ....stores.warps.warped import Warped, Whole
from ...pipeline.documents import read_document, read_run
from ...pipeline.image_documents import read_rejected
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.page import Caution, Image, ReportPage, Section
from ...show.section_overlay import SectionPair, draw_section_pair
from ...steps.report import closing_sections, name_of
from ...steps.report_files import write_report_files
from ...steps.sections.documents import PairRecord
from .documents import EVALUATION, Evaluation
from .page_tables import blocks_table, landmarks_table, pairs_table, stages_table
from .settings import RegisterSettings
from .table import pair_records, seconds_of
from .verdict import headline

SHOWN = 900
"""Pixels of the longer side of a picture, at most."""
WRITTEN = "One image a block, three channels a stain: sections/. Warps in micrometres: transforms/."
MOST_DRAWN = 200
"""Pairs that are drawn, at most."""


def write_page(job: Job[RegisterSettings], unit: Unit) -> Outcome:
    """Draw the pairs and write the report."""
    outcome = Outcome()
    pairs = pair_records(job)
    drawn: dict[str, Path] = {}
    for key in list(pairs)[:MOST_DRAWN]:
        with outcome.clock("read"):
            picture = pictured(job, key, pairs[key])
        with outcome.clock("compute"):
            path = job.folder.out / "maps" / "pairs" / f"{key.replace('/', '_')}.png"
            drawn[key] = draw_section_pair(path, picture)
    with outcome.clock("write"):
        page = _page(job, unit, pairs, drawn)
        outcome.files += [written(path) for path in (*drawn.values(), *write_report_files(job, page))]
    return outcome


def pictured(job: Job[RegisterSettings], key: str, pair: PairRecord) -> SectionPair:
    """The overviews of a pair on the reference's pixels, reduced to what a page shows."""
    image, section = key.split("/")
    reference, moving = (
        StoredImage.open(job.folder.overview(image, one)) for one in (job.slides[image].reference.id, section)
    )
    frame = reference.frames[0]
    by = max(1, -(-max(frame.shape) // SHOWN))
    small = frame.coarsen((by, by))
    still = Warp.of_affine([[1, 0, 0], [0, 1, 0]])
    warp = read_warp(job.folder.transform(image, section))
    return SectionPair(
        f"{pair.block}: {pair.stain} on {pair.reference}",
        _rgb(reference, still, small),
        _rgb(moving, still, small),
        _rgb(moving, warp, small),
    )


def _rgb(source: StoredImage, warp: Warp, frame: Frame) -> Array:
    return np.ascontiguousarray(
        np.moveaxis(Warped(Whole(source), warp, (frame,), background=255).read(frame.box), 0, -1)
    )


def _page(job: Job[RegisterSettings], unit: Unit, pairs: dict[str, PairRecord], drawn: dict[str, Path]) -> ReportPage:
    run, evaluation = read_run(job.folder), read_document(job.folder, EVALUATION, Evaluation)
    rejected = [pair for pair in pairs.values() if not pair.accepted]
    facts = [
        ("blocks", str(len(job.slides))),
        ("pairs", str(len(pairs))),
        ("rejected pairs", str(len(rejected))),
        ("stains", str(len(next(iter(job.slides.values())).stains))),
        ("rejected files", str(len(read_rejected(job.folder)))),
    ]
    if evaluation.all:
        facts.append(("median rTRE, mean over pairs", f"{float(evaluation.all.average_median or 0):.2%}"))
    sections = [
        Section(
            "Pairs",
            text=(
                "Each stage was judged on tissue that it did not see, and kept only where that got no worse. Folding is the "
                "share of the displacement field's cells where the map is not one to one.",
            ),
            tables=(pairs_table(pairs, {key: seconds_of(job, key) for key in pairs}),),
            figures=tuple(Image(path, f"{pairs[key].block}: {pairs[key].stain}") for key, path in drawn.items()),
        ),
        Section("Stages", tables=(stages_table(pairs),), folded=True),
    ]
    if evaluation.pairs:
        sections.append(Section("Landmarks", text=_about_landmarks(), tables=(landmarks_table(evaluation),)))
    sections.append(Section("Blocks", (WRITTEN,), tables=(blocks_table(job.slides.values()),)))
    sections += closing_sections(job, unit, training=None)
    return ReportPage(
        title=f"Registered sections of {name_of(job)}",
        subtitle=headline(list(pairs.values()), len(job.slides), evaluation),
        facts=tuple(facts),
        cautions=tuple(_cautions(pairs)),
        sections=tuple(sections),
        footer=f"tile-engine {run.tile_engine}.",
    )


def _about_landmarks() -> tuple[str, ...]:
    return (
        "rTRE: distance of a landmark from its place in the reference, by the diagonal of the reference. Robustness: share of "
        "the landmarks that lie nearer than before. No registration saw them.",
    )


def _cautions(pairs: dict[str, PairRecord]) -> Iterator[Caution]:
    for pair in pairs.values():
        if not pair.accepted:
            yield Caution(f"{pair.block}: {pair.stain} is not registered, and is background in the stack", pair.why)
        elif not pair.moved:
            yield Caution(
                f"{pair.block}: {pair.stain} is left as it lies",
                "No stage of the registration was better on the tissue held out: look at the pictures below.",
            )
