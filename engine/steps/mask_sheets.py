"""mask_sheets: the tissue masks of a run's slides as pictures for its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...stores.cells import LabelCells
from ...stores.receipts import Ledger
from ..pipeline.job import Job
from ..pipeline.listing import first_of
from ..pipeline.outputs import MASK_SHEET
from ..show.mask_sheet import PER_SHEET, MaskedSlide, draw_mask, mask_sheet
from ..show.numbers import percent
from ..show.page import Image, Section
from ..show.picture import Cells
from ..show.short_names import distinct_names
from .convert.geometry import PYRAMID
from .convert.tissue import COLOURS_OF_LOSS, TISSUE
from .slide_picture import picture_of

LONGEST = 700
"""Pixels along the stored picture of a slide that is drawn, at most where its pyramid has such a level."""
MAX_SHEETS, EMBEDDED_SHEETS = 50, 5
"""Sheets that are drawn, and sheets that the report embeds, at most."""
NAME_LENGTH = 30
"""Characters that fit below a picture."""
HEADING = "Tissue masks"


def shares_of(job: Job[Any], image: str) -> dict[str, float]:
    """What is tissue, unreadable and absent of an image, each a share of it; empty where no receipt says it."""
    if PYRAMID not in job.fingerprints:  # a run on films
        return {}
    receipt = Ledger(job.folder.out, PYRAMID, job.ledger_key(PYRAMID, image)).find(f"{image}/{PYRAMID}")
    names = ("tissue", "unreadable", "absent")
    return {n: float(receipt.facts[f"{n}_share"]) for n in names if f"{n}_share" in receipt.facts} if receipt else {}


def mask_sections(job: Job[Any]) -> list[Section]:
    """The section with the masks of all slides, drawn to maps/tissue-1.png and so on; no section of volumes and films.

    Slides without tissue and slides that lost something come first.
    """
    if not job.modality.planar:
        return []
    found = [slide for slide in job.slides if (job.folder.label(slide, "tissue") / "zarr.json").exists()]
    shares = {slide: shares_of(job, slide) for slide in found}
    order = sorted(shares, key=lambda slide: _is_sound(shares[slide]))
    if not order:
        return []
    short = distinct_names((record.name for record in job.slides.values()), NAME_LENGTH)
    sheets = [order[i : i + PER_SHEET] for i in range(0, len(order), PER_SHEET)]
    figures = []
    for number, slides in enumerate(sheets[:MAX_SHEETS], 1):
        first, last = (number - 1) * PER_SHEET + 1, (number - 1) * PER_SHEET + len(slides)
        title = f"Tissue masks, {job.modality.plural} {first} to {last} of {len(order)}"
        drawn = [MaskedSlide(short[job.slides[s].name], masked(job, s), words_of(shares[s])) for s in slides]
        path = mask_sheet(job.folder.out / "maps" / MASK_SHEET.format(number=number), drawn, title=title)
        figures.append(Image(path, title, first_of([short[job.slides[s].name] for s in slides], 3)))
    noun = job.modality.plural
    text = [
        f"The green line is the outline of the tissue: tiles inside it are used. {noun.capitalize()} without tissue, and those "
        "that lost something, come first; red could not be decoded, violet is absent from the file."
    ]
    if left := [job.slides[s].name for s in order[MAX_SHEETS * PER_SHEET :]]:
        text.append(f"{len(left):,} {noun} are not drawn: {first_of(left)}. labels/tissue has the masks of all.")
    return [Section(HEADING, tuple(text), figures=tuple(figures), embedded=EMBEDDED_SHEETS)]


def masked(job: Job[Any], slide: str, **options: int) -> Any:
    """The slide with its mask drawn on it, uint8 (y, x, 3); options as of `draw_mask`."""
    stored = LabelCells.open(job.folder.label(slide, "tissue"))
    cells = Cells(stored.read_all(), stored.frame.spacing[0])
    picture = picture_of(job, slide, longest=LONGEST)
    return draw_mask(picture, cells, tissue=TISSUE, lost=COLOURS_OF_LOSS, **options)


def words_of(shares: dict[str, float]) -> str:
    """Shares of an image in words.

    >>> words_of({"tissue": 0.341, "unreadable": 0.02, "absent": 0.0})
    'tissue 34.1 %, unreadable 2.0 %'
    """
    return ", ".join(f"{name} {percent(share)}" for name, share in shares.items() if share or name == "tissue")


def sheets_of(sections: tuple[Section, ...]) -> list[Path]:
    """The sheets that sections of a report show."""
    return [image.path for section in sections if section.heading == HEADING for image in section.figures]


def _is_sound(shares: dict[str, float]) -> bool:
    return shares.get("tissue", 1.0) > 0 and not shares.get("unreadable") and not shares.get("absent")
