"""report: a page of values as one HTML file that needs nothing else: no script, no font, no picture from anywhere.

Pictures are embedded as copies scaled to the screen, up to each section's bound; each is linked to its file beside the report.
"""

from __future__ import annotations

import base64
import io
import math
import os
from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np

from ...stores.files import write_whole
from ...stores.frame import Array
from ...stores.remote import place
from .figure import DPI
from .legend import percent
from .page import Column, Image, ReportPage, Section, Table
from .palette import hexadecimal
from .picture import Picture
from .spreadsheet import Cell
from .stylesheet import STYLESHEET

WIDTH = 1600
"""Pixels of an embedded copy's longer side at most."""
SMALL = 250_000
"""Bytes up to which a PNG is embedded as it is."""

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def write_report(path: Path, page: ReportPage) -> Path:
    """Write the page as one HTML file, whole or not at all; everything in it that came from outside is escaped."""
    path = place(path)
    write_whole(path, "".join(_document(page, path.parent)).encode("utf-8"))
    return path


def _document(page: ReportPage, folder: Path) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="referrer" content="no-referrer">\n<meta name="color-scheme" content="light dark">\n'
    yield f"<title>{escape(page.title)}</title>\n<style>{STYLESHEET}</style>\n</head>\n<body>\n<header>\n"
    yield f"<h1>{escape(page.title)}</h1>\n"
    if page.subtitle:
        yield f'<p class="subtitle">{escape(page.subtitle)}</p>\n'
    if page.facts:
        yield '<dl class="facts">\n'
        for name, value in page.facts:
            yield f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>\n"
        yield "</dl>\n"
    for caution in page.cautions:
        yield f'<div class="caution" role="note"><strong>{escape(caution.headline)}</strong>'
        yield f"<span>{escape(caution.text)}</span></div>\n"
    yield "</header>\n"
    if len(page.sections) > 1:
        yield "<nav>"
        for i, section in enumerate(page.sections):
            yield f'<a href="#s{i}">{escape(section.heading)}</a>'
        yield "</nav>\n"
    yield "<main>\n"
    for i, section in enumerate(page.sections):
        yield from _section(section, f"s{i}", folder=folder)
    yield "</main>\n"
    if page.footer:
        yield f"<footer>{escape(page.footer)}</footer>\n"
    yield "</body>\n</html>\n"


def _section(section: Section, name: str, *, folder: Path) -> Iterator[str]:
    yield f'<section id="{name}">\n'
    heading = f"<h2>{escape(section.heading)}</h2>"
    yield f"<details><summary>{heading}</summary>\n" if section.folded else heading + "\n"
    for paragraph in section.text:
        yield f"<p>{escape(paragraph)}</p>\n"
    for i, image in enumerate(section.figures):
        yield _figure(image, folder=folder, embed=i < section.embedded)
    for table in section.tables:
        yield from _table(table)
    yield "</details>\n</section>\n" if section.folded else "</section>\n"


def _figure(image: Image, *, folder: Path, embed: bool) -> str:
    link = escape(quote(os.path.relpath(str(image.path), str(folder)).replace(os.sep, "/")))
    caption = f"<strong>{escape(image.caption)}</strong>"
    if image.detail:
        caption += f" <span>{escape(image.detail)}</span>"
    if not image.path.is_file():
        return f'<p class="linked">{caption} <em>not available</em></p>\n'
    if not embed:
        return f'<p class="linked"><a href="{link}">{caption}</a></p>\n'
    kind, content, (width, height) = _copy(image.path)
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return (
        f'<figure><a href="{link}"><img src="{source}" width="{width}" height="{height}" '
        f'alt="{escape(image.caption)}"></a><figcaption>{caption}</figcaption></figure>\n'
    )


def _copy(path: Path) -> tuple[str, bytes, tuple[int, int]]:
    """The picture as embedded: kind, bytes (its own where small, else a JPEG of bounded size), CSS (width, height)."""
    from matplotlib.image import imread, imsave

    data = path.read_bytes()
    pixels = np.asarray(imread(io.BytesIO(data)))
    if pixels.dtype != np.uint8:  # matplotlib gives PNGs as floats
        pixels = (pixels * 255).round().astype(np.uint8)
    if pixels.ndim == 2:
        pixels = np.dstack([pixels] * 3)
    if pixels.shape[2] == 4:  # on white
        alpha = pixels[..., 3:].astype(np.float32) / 255
        pixels = (pixels[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
    height, width = pixels.shape[:2]
    shown = round(width * 96 / DPI), round(height * 96 / DPI)  # natural size: text is equally large on all pictures
    if len(data) <= SMALL and max(height, width) <= 2 * WIDTH:
        return "png", data, shown
    if max(height, width) > WIDTH:
        pixels = _scaled(pixels, WIDTH / max(height, width))
    buffer = io.BytesIO()
    imsave(buffer, np.ascontiguousarray(pixels), format="jpg", pil_kwargs={"quality": 86})
    return "jpeg", buffer.getvalue(), shown


def _scaled(pixels: Array, factor: float) -> Array:
    from skimage.transform import resize

    whole = int(0.5 / factor)
    if whole > 1:  # far too large: average over blocks first, cheaply
        pixels = Picture(pixels, 1.0).shrunk(whole).rgb
        factor *= whole
    shape = tuple(max(1, round(n * factor)) for n in pixels.shape[:2])
    smooth: Array = resize(pixels.astype(np.float32), shape, order=1, anti_aliasing=True, preserve_range=True)
    return np.asarray(smooth.round().clip(0, 255), np.uint8)


def _table(table: Table) -> Iterator[str]:
    yield '<div class="scroll"><table>\n'
    if table.caption:
        yield f"<caption>{escape(table.caption)}</caption>\n"
    yield "<thead><tr>"
    for column in table.columns:
        chip = f'<i class="chip" style="background:{hexadecimal(column.colour)}"></i>' if column.colour else ""
        yield f'<th scope="col" class="{column.kind}">{chip}{escape(column.name)}</th>'
    yield "</tr></thead>\n<tbody>\n"
    for i, row in enumerate(table.rows):
        yield '<tr class="marked">' if i in table.marked else "<tr>"
        for column, cell in zip(table.columns, row, strict=True):
            yield _cell(column, cell)
        yield "</tr>\n"
    yield "</tbody></table></div>\n"


def _cell(column: Column, cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return f'<td class="{column.kind}">–</td>'
    if isinstance(cell, str):
        return f'<td class="{column.kind}">{escape(cell)}</td>'
    if column.kind == "share":
        tint = round(min(max(float(cell), 0), 1) * 100)
        return f'<td class="share" style="--share:{tint}%">{percent(float(cell))}</td>'
    return f'<td class="{column.kind}">{number(cell)}</td>'


def number(value: float) -> str:
    """A number as people read it: thousands apart, four digits at most where it is no whole number.

    >>> number(12345), number(0.12345), number(1234.5), number(1e-9)
    ('12,345', '0.1235', '1,234', '1e-09')
    """
    if isinstance(value, int) or (abs(value) >= 1000 and math.isfinite(value)):
        return f"{value:,.0f}"
    return f"{value:.4g}"
