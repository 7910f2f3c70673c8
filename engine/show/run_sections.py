"""run_sections: sections of a report on images and run: slides, rejections, times, settings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .legend import Legend
from .page import Column, Section, Table, Thumbnail
from .palette import colour
from .spreadsheet import Cell


@dataclass(frozen=True, slots=True)
class SlideRow:
    """One slide of the table of slides."""

    name: str
    id: str
    spacing: tuple[float, ...]
    """Micrometres a pixel along y and x, or z, y and x."""
    shape: tuple[int, ...]
    """Pixels along y and x, or z, y and x."""
    tissue: float
    """Part of the slide that is tissue, 0 to 1."""
    tiles: int | None
    """Labelled tiles; None in runs that cut none."""
    shares: tuple[float, ...] = ()
    """Share of each cluster, in the legend's order."""
    unreadable: float = 0.0
    """Part of the slide that could not be decoded, 0 to 1."""
    absent: float = 0.0
    """Part of the slide that is absent from its file, 0 to 1."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """Seconds that a stage took; read, compute and write are summed over workers and threads, wall is not."""

    stage: str
    read: float
    compute: float
    write: float
    wall: float


def slides_section(rows: Sequence[SlideRow], *, legend: Legend = (), noun: str = "slides") -> Section:
    """Every slide (or volume, by `noun`) that was used."""
    columns = [
        Column(noun[:-1].capitalize()),
        Column("Spacing, mm" if noun == "volumes" else "Spacing, µm", "number"),
        Column("Width × height, px" if noun != "volumes" else "x × y × z, voxels", "number"),
        Column("Mask" if noun == "volumes" else "Tissue", "share"),
        Column("Tiles", "number"),
        *(Column(str(label), "share", colour(label)) for label, _, _ in legend),
        Column("Id", "code"),
    ]
    cells: list[tuple[Cell, ...]] = [
        (
            r.name,
            _lengths([um / 1000 for um in r.spacing] if noun == "volumes" else r.spacing),
            " × ".join(f"{n:,}" for n in r.shape[::-1]),
            r.tissue,
            r.tiles,
            *_padded(r.shares, len(legend)),
            r.id,
        )
        for r in rows
    ]
    return Section(noun.capitalize(), tables=(Table(tuple(columns), tuple(cells)),))


def list_of_slides(
    rows: Sequence[SlideRow], rejected: Sequence[tuple[str, str, str]], *, legend: Legend = ()
) -> list[dict[str, Cell]]:
    """Rows of slides.csv: every slide that was used, with its share of each cluster, and every rejected one, with why."""
    used: list[dict[str, Cell]] = [
        {
            "name": r.name,
            "id": r.id,
            "state": "used",
            "reason": None,
            **_spacings(r),
            "size": " x ".join(map(str, r.shape[::-1])),
            **_tissue(r),
            "unreadable": _rounded(r.unreadable),
            "absent": _rounded(r.absent),
            **({} if r.tiles is None else {"tiles": r.tiles}),
            **{f"cluster {label}": round(share, 4) for (label, _, _), share in zip(legend, r.shares, strict=False)},
        }
        for r in rows
    ]
    return used + list_of_rejected(rejected)


def list_of_rejected(rejected: Sequence[tuple[str, str, str]]) -> list[dict[str, Cell]]:
    """The same rows of rejected images alone."""
    return [{"name": name, "state": "rejected", "reason": f"{code}: {text}"} for name, code, text in rejected]


def rejected_section(
    rows: Sequence[tuple[str, str, str]], pictures: Sequence[Thumbnail | str] = (), *, noun: str = "slides"
) -> Section:
    """Every image that was left out: name, reason code, advice; and a picture, or why there is none.

    Where one advice is for several images, it stands once, in a table of reasons.
    """
    one, code, advice = Column(noun[:-1].capitalize()), Column("Reason", "code"), Column("What it means and what to do")
    picture = [Column("Picture", "picture")] if pictures else []
    shown: list[tuple[Thumbnail | str, ...]] = [(each,) for each in pictures] or [()] * len(rows)
    counts = Counter((why, text) for _, why, text in rows)
    if len(counts) == len(rows):
        cells = tuple((*row, *each) for row, each in zip(rows, shown, strict=True))
        return Section(f"Rejected {noun}", tables=(Table((one, code, advice, *picture), cells),))
    reasons = tuple((why, text, count) for (why, text), count in counts.items())
    images = tuple((name, why, *each) for (name, why, _), each in zip(rows, shown, strict=True))
    of_reasons = Table((code, advice, Column(noun.capitalize(), "number")), reasons)
    return Section(f"Rejected {noun}", tables=(of_reasons, Table((one, code, *picture), images)))


@dataclass(frozen=True, slots=True)
class LostRow:
    """One image that is used although something of it is lost."""

    name: str
    text: str
    """Which of its tiles are lost, in words."""
    unreadable: float | None
    """Part of the image, 0 to 1; None where it is not known."""
    absent: float | None
    picture: Thumbnail | str


def lost_section(rows: Sequence[LostRow], *, noun: str = "slides") -> Section:
    """Every image that was used although something of it is lost."""
    text = (
        "The layer labels/tissue marks these parts: unreadable ones with 2, absent ones with 3. No tile lies in them. On the "
        "pictures, unreadable parts are red and absent ones violet."
    )
    columns = (
        Column(noun[:-1].capitalize()),
        Column("Unreadable or absent"),
        Column("Unreadable", "share"),
        Column("Absent", "share"),
        Column("Picture", "picture"),
    )
    cells = tuple((r.name, r.text, r.unreadable, r.absent, r.picture) for r in rows)
    return Section("Unreadable and absent tiles", (text,), tables=(Table(columns, cells),))


def times_section(rows: Sequence[StageTime]) -> Section:
    """Times of each stage."""
    columns = (Column("Stage"), *(Column(f"{name}, s", "number") for name in ("Read", "Compute", "Write", "Wall")))
    cells: list[tuple[Cell, ...]] = [
        (r.stage, *(round(float(v), 1) for v in (r.read, r.compute, r.write, r.wall))) for r in rows
    ]
    text = "Read, compute and write are summed over workers and threads and may exceed the wall time."
    return Section("Time", (text,), tables=(Table(columns, tuple(cells)),))


def settings_section(settings: Mapping[str, object], *, heading: str = "Settings") -> Section:
    """Names and values, folded away; serves versions too."""
    rows: tuple[tuple[Cell, ...], ...] = tuple((name, _cell(value)) for name, value in settings.items())
    return Section(heading, tables=(Table((Column("Name"), Column("Value", "code")), rows),), folded=True)


def _lengths(spacing: Sequence[float]) -> float | str:
    """A spacing as a number; as text, x first, where axes differ."""
    return spacing[0] if len(set(spacing)) == 1 else " × ".join(f"{one:g}" for one in spacing[::-1])


def _spacings(row: SlideRow) -> dict[str, Cell]:
    """Columns of the spacing: of a volume millimetres along each axis, of a slide micrometres."""
    if len(row.shape) == 3:
        return {f"spacing_{axis}_mm": um / 1000 for axis, um in zip("xyz", row.spacing[::-1], strict=True)}
    return {"spacing_um": _lengths(row.spacing)}


def _tissue(row: SlideRow) -> dict[str, Cell]:
    """Columns of what is inside the mask: its share of the image, and its size."""
    size = row.tissue * math.prod(n * um / 1000 for n, um in zip(row.shape, row.spacing, strict=True))
    if len(row.shape) == 3:
        return {"mask": _rounded(row.tissue), "mask_mm3": _rounded(size, 6)}
    return {"tissue": _rounded(row.tissue), "tissue_mm2": _rounded(size, 6)}


def _rounded(value: float, digits: int = 4) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def _padded(shares: Sequence[float], count: int) -> tuple[float | None, ...]:
    return (*shares, *(None,) * (count - len(shares)))


def _cell(value: object) -> Cell:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if value is None or isinstance(value, str | int | float) else str(value)
