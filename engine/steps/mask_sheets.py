"""mask_sheets: the masks of a run's slides or volumes as pictures for its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ...stores.cells import LabelCells
from ...stores.receipts import Ledger
from ..pipeline.job import Job
from ..pipeline.listing import first_of
from ..pipeline.outputs import MASK_SHEET
from ..show.figure import DPI
from ..show.mask_sheet import PER_SHEET, MaskedSlide, draw_mask, mask_sheet
from ..show.numbers import percent
from ..show.page import Image, Section
from ..show.picture import Cells
from ..show.short_names import distinct_names
from .convert.geometry import PYRAMID
from .convert.tissue import COLOURS_OF_LOSS, TISSUE
from .slide_picture import picture_of
from .volumes.planes import is_stored, mask_name, masked_planes, seen

LONGEST = 700
"""Pixels along the stored picture of a slide that is drawn, at most where its pyramid has such a level."""
MAX_SHEETS, EMBEDDED_SHEETS = 50, 5
"""Sheets that are drawn, and sheets that the report embeds, at most."""
NAME_LENGTH = 30
"""Characters that fit below a picture."""
HEADING, OF_VOLUMES = "Tissue masks", "Masks"
VOLUMES_IN_A_ROW, VOLUME_SIDE = 2, 4.8
"""Volumes in a row of a sheet, three planes each, and inches along them."""


def shares_of(job: Job[Any], image: str) -> dict[str, float]:
    """What is tissue, unreadable and absent of an image, each a share of it; empty where no receipt says it."""
    if PYRAMID not in job.fingerprints:  # a run on films
        return {}
    receipt = Ledger(job.folder.out, PYRAMID, job.ledger_key(PYRAMID, image)).find(f"{image}/{PYRAMID}")
    names = ("tissue", "unreadable", "absent")
    return {n: float(receipt.facts[f"{n}_share"]) for n in names if f"{n}_share" in receipt.facts} if receipt else {}


def mask_sections(job: Job[Any]) -> list[Section]:
    """The section with the masks of all images, drawn to maps/tissue-1.png and so on; no section of films.

    Slides without tissue and slides that lost something come first.
    """
    if not (job.modality.planar or "z" in job.modality.axes):
        return []
    if not job.modality.planar and not mask_name(job):  # nothing is masked
        return []
    found = [slide for slide in job.slides if (job.folder.label(slide, "tissue") / "zarr.json").exists()]
    shares = {slide: shares_of(job, slide) for slide in found}
    order = sorted(shares, key=lambda slide: _is_sound(shares[slide]))
    if not order:
        return []
    short = distinct_names((record.name for record in job.slides.values()), NAME_LENGTH)
    sheets = [order[i : i + PER_SHEET] for i in range(0, len(order), PER_SHEET)]
    figures = []
    heading = HEADING if job.modality.planar else OF_VOLUMES
    for number, slides in enumerate(sheets[:MAX_SHEETS], 1):
        first, last = (number - 1) * PER_SHEET + 1, (number - 1) * PER_SHEET + len(slides)
        title = f"{heading}, {job.modality.plural} {first} to {last} of {len(order)}"
        drawn = [_shown(job, s, short[job.slides[s].name]) for s in slides]
        path = job.folder.out / "maps" / MASK_SHEET.format(number=number)
        size: dict[str, Any] = {} if job.modality.planar else {"most": VOLUMES_IN_A_ROW, "side": VOLUME_SIDE}
        mask_sheet(path, drawn, title=title, **size)
        figures.append(Image(path, title, first_of([short[job.slides[s].name] for s in slides], 3)))
    text = _texts(job)
    if left := [job.slides[s].name for s in order[MAX_SHEETS * PER_SHEET :]]:
        stored = " labels/tissue has the masks of all." if is_stored(job) else ""
        text.append(f"{len(left):,} {job.modality.plural} are not drawn: {first_of(left)}.{stored}")
    return [Section(heading, tuple(text), figures=tuple(figures), embedded=EMBEDDED_SHEETS)]


def _texts(job: Job[Any]) -> list[str]:
    """What the sheets show."""
    noun = job.modality.plural.capitalize()
    first = (
        f"{noun} without tissue, and those that lost something, come first; red could not be decoded, violet is absent"
    )
    if job.modality.planar:
        return [f"The green line is the outline of the tissue: tiles inside it are used. {first} from the file."]
    return [
        f"The green line is the outline of what the run keeps of a volume ({mask_name(job)}), on planes through its middle: "
        "what lies outside is not looked at. A line that cuts the organ, or that holds anything else, spoils what follows.",
        seen(job),
    ]


def _shown(job: Job[Any], image: str, name: str) -> MaskedSlide:
    """An image of a sheet."""
    if job.modality.planar:
        return MaskedSlide(name, masked(job, image), words_of(shares_of(job, image)))
    try:
        picture, mask, share = masked_planes(job, image)
    except SlideError as error:
        return MaskedSlide(name, np.full((2, round(VOLUME_SIDE * DPI), 3), 255, np.uint8), f"not drawn: {error.code}")
    rgb = draw_mask(picture, mask, tissue=1, lost={}, side=round(VOLUME_SIDE * DPI))
    return MaskedSlide(name, rgb, f"mask {percent(share)} of the volume", picture.letters)


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
    return [image.path for section in sections if section.heading in (HEADING, OF_VOLUMES) for image in section.figures]


def _is_sound(shares: dict[str, float]) -> bool:
    return shares.get("tissue", 1.0) > 0 and not shares.get("unreadable") and not shares.get("absent")
