"""page: pictures and report of `run harmonize`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import SlideError
from ....stores.array import written
from ....stores.frame import Array
from ....stores.receipts import Ledger
from ...pipeline.documents import read_document, read_run
from ...pipeline.image_documents import rejected_rows
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.page import Caution, Column, Image, ReportPage, Section, Table
from ...show.training_curves import training_curves
from ...show.version_panels import ShownVersion, draw_versions
from ...steps.checkpoints import find_record, read_record
from ...steps.first_looks import noted
from ...steps.report import closing_sections, name_of
from ...steps.report_files import write_report_files
from ...steps.version_names import version_name
from ...steps.volumes.planes import seen
from .check import uneven_spacing
from .documents import JUDGEMENT, GanRecord, JudgementDocument, LightRecord
from .gan import GAN
from .judge import OURS
from .judgement import Judgement
from .judgement_tables import how_judged, judgement_tables, number
from .light import light_names
from .notices import coarse_notice, left_out_notices
from .pictured import own_scan, pictured
from .seams import FIGURES, seams_of
from .settings import HarmonizeSettings
from .sites import FEW, Sites, fitted_subjects, sites_of
from .verdict import headline
from .version import version_image

SHOWN = 3
"""Images that are shown for each source site."""


def write_page(job: Job[HarmonizeSettings], unit: Unit) -> Outcome:
    """Draw the pictures and write the report."""
    outcome = Outcome()
    maps, sites = job.folder.out / "maps", sites_of(job)
    with outcome.clock("read"):
        missing: list[str] = []
        shown = [one for site in sites.sources for one in _shown(job, sites, site, missing)]
    with outcome.clock("compute"):
        pictures = {
            "versions": draw_versions(maps / "versions.png", shown),
            "training": training_curves(maps / "training.png", _histories(job)),
        }
    with outcome.clock("write"):
        files = write_report_files(job, _page(job, unit, pictures, missing))
    outcome.files += [written(path) for path in (*pictures.values(), *files)]
    return outcome


def _shown(job: Job[HarmonizeSettings], sites: Sites, site: str, missing: list[str]) -> Iterator[ShownVersion]:
    """Images of a site, those that fitting did not see first; `missing` takes up why a person's own scan is not drawn."""
    images = sorted(sites.of_site[site], key=lambda image: image not in sites.held_out)[:SHOWN]
    for image in images:
        record = job.slides[image]
        (own, frame), (version, _) = (
            pictured(job, image, one) for one in (job.stored(image), version_image(job, image))
        )
        rows = [(f"{site}", _display(own)), (f"as of {sites.target}", _display(version))]
        sign = -1 if job.modality.planar else 1  # slides count down from white
        changes = [("change", sign * (version - own).mean(0))]
        twin = [i for i in sites.of_site[sites.target] if record.subject and job.slides[i].subject == record.subject]
        if twin:
            try:
                real, covered, aligned = own_scan(job, image, twin[0])
            except SlideError as error:
                missing.append(f"{job.slides[twin[0]].name} (beside {record.name}): {error}")
            else:
                rows.append((f"at {sites.target}{', aligned' if aligned else ''}", _display(real)))
                changes.append((f"error to {sites.target}", sign * covered * (version - real).mean(0)))
        sided = not record.assumed_orientation
        yield ShownVersion(record.name, tuple(rows), tuple(changes), frame.spacing, sided)


def _display(values: Array) -> Array:
    """(C, *axes) in the generator's units as values to show: of slides colours, else one channel."""
    return np.moveaxis(1 - values, 0, -1) if values.shape[0] == 3 else values[0]


def _histories(job: Job[HarmonizeSettings]) -> list[dict[str, Any]]:
    if job.settings.generator != "light":
        return [{"stage": "CycleGAN", **row} for row in read_record(job, GAN, GanRecord).history]
    rows: list[dict[str, Any]] = []
    for name, site in light_names(job).items():
        record = read_record(job, name, LightRecord)
        rows += [{"stage": f"{site} tone", "step": i, "distance": d} for i, d in enumerate(record.distances)]
        for row in record.history:
            rows.append({"stage": f"{site} {'shift' if 'unadapted' in row else 'sharpen'}", **row})
    return rows


def _page(job: Job[HarmonizeSettings], unit: Unit, pictures: dict[str, Path], missing: list[str]) -> ReportPage:
    run, document = read_run(job.folder), read_document(job.folder, JUDGEMENT, JudgementDocument)
    sites, figures, rejected = sites_of(job), document.judgement, rejected_rows(job.folder)
    facts = (
        (job.modality.name, str(len(job.slides))),
        ("harmonized", f"{len(sites.harmonized)} of {', '.join(sites.sources)}"),
        ("to", sites.target),
        ("generator", job.settings.generator),
        ("people judged", str(figures.subjects_scored)),
        ("rejected", str(len(rejected))),
    )
    body = [
        Section(
            "Images and their versions",
            text=(
                f"The version of every image is layers/{version_name(job.settings.to)} of its store: on its grid, in its "
                f"units, its own values outside the mask. {_exported(job)}Change: orange is brighter, blue darker.",
                *([] if job.modality.planar else ["A person's own scan on another grid is registered.", seen(job)]),
                *(f"The own scan is not drawn: {text}" for text in missing),
            ),
            figures=(Image(pictures["versions"]),),
        ),
        Section(
            "Judgement, beside simpler methods",
            text=tuple(how_judged(document)),
            tables=tuple(judgement_tables(figures)),
        ),
        Section("Seams between tiles", text=(_seam_text(job),), tables=(_seam_table(job, sites),)),
        *_fitted(job),
    ]
    body += closing_sections(job, unit, training=pictures["training"])
    return ReportPage(
        title=f"Harmonization to {sites.target}: {name_of(job)}",
        subtitle=headline(figures, job.modality.name, len(sites.harmonized)),
        facts=facts,
        cautions=tuple(_cautions(job, figures)),
        sections=tuple(body),
        footer=f"tile-engine {run.tile_engine}. Headers, names and private tags of the files were not kept.",
    )


def _exported(job: Job[HarmonizeSettings]) -> str:
    return "" if job.modality.planar else "`tile-engine export OUT --to nifti` writes them as NIfTI. "


def _seam_text(job: Job[HarmonizeSettings]) -> str:
    return (
        "Overlap: largest difference of two tiles half a tile apart; shift: of the same cells on a moved grid of tiles; "
        "both in units of the scale. Gradient: differences across the borders of tiles relative to elsewhere, less the same of "
        "the image. A halo of the whole receptive field leaves rounding errors only."
        if job.settings.halo is None
        else "The halo was set by hand; where it is below the receptive field, tiles are blended and disagree by these figures."
    )


def _seam_table(job: Job[HarmonizeSettings], sites: Sites) -> Table:
    rows = []
    blended = job.settings.halo is not None
    for image in sites.harmonized:
        seams = seams_of(job, image)
        cells = [f"{seams[name]:.2g}" if seams else "–" for name in FIGURES]
        rows.append((job.slides[image].name, *cells, *([_disagreement(job, image)] if blended else [])))
    heads = ("image", *FIGURES, *(["between blended tiles: mean, largest"] if blended else []))
    return Table(tuple(map(Column, heads)), tuple(rows))


def _disagreement(job: Job[HarmonizeSettings], image: str) -> str:
    """Standard deviation between tiles that see one cell, of the units of an image; a dash where tiles agree."""
    receipts = Ledger(job.folder.out, "harmonize", job.ledger_key("harmonize", image)).all(image)
    found = [receipt.facts["disagreement"] for receipt in receipts if receipt.facts.get("disagreement")]
    if not found:
        return "–"
    return f"{np.mean([mean for mean, _ in found]):.2g}, {max(largest for _, largest in found):.2g}"


def _fitted(job: Job[HarmonizeSettings]) -> Iterator[Section]:
    """What the light generators found."""
    if job.settings.generator != "light":
        matched = read_record(job, GAN, GanRecord).matched
        by_site = [f"{site}: {' and '.join(columns) or 'neither'}" for site, columns in matched.items()]
        text = f"People of the target were drawn like the site's by what the list states of everybody ({'; '.join(by_site)})."
        yield Section("Matching of age and sex", text=(text,))
    rows = []
    for name, site in light_names(job).items() if job.settings.generator == "light" else ():
        record = find_record(job, name, LightRecord)
        if record:
            blur = ", ".join(f"{np.sign(v) * np.sqrt(abs(v)):.2f}" for v in record.variances if v is not None)
            rows.append((site, f"{record.distances[0]:.3f}", f"{record.distances[-1]:.3f}", blur, number(record.noise)))
    if rows:
        heads = ("site", "distance before", "after the tone", "blur by axis (cells)", "noise")
        yield Section(
            "What differs between the sites",
            text=(
                "Distance of the distributions of values in corresponding blocks; blur and noise that the site's images have "
                "beyond the target's (a negative blur: they are sharper).",
            ),
            tables=(Table(tuple(map(Column, heads)), tuple(rows)),),
        )


def _cautions(job: Job[HarmonizeSettings], figures: Judgement) -> Iterator[Caution]:
    for text in figures.cautions:
        yield noted(text)
    few = {site: n for site, n in fitted_subjects(job, sites_of(job)).items() if n < FEW}
    if few:
        people = ", ".join(f"{n} of {site}" for site, n in few.items())
        yield Caution(
            f"The generator was fitted on few people: {people}.", "Differences between people may be taken for sites."
        )
    if text := uneven_spacing(job):
        yield Caution("The sites' cells differ in size.", text)
    for text in filter(None, (coarse_notice(job), *left_out_notices(job))):
        yield noted(text)
    if figures.left_out:
        yield Caution(
            f"{len(figures.left_out)} parts of the judgement were left out.", f"{'; '.join(figures.left_out)}."
        )
    ours = figures.methods[OURS]
    for figure, others in figures.comparisons.items():
        worse = [one.other for one in others if one.difference is not None and one.difference < 0]
        if worse and figure in ours.pairs:
            yield Caution(
                f"{figure}: {', '.join(worse)} did better than the generator.",
                "Use the simpler method, or train longer.",
            )
