"""report: a page of values as one HTML file that needs nothing else: no font, no picture, no script from anywhere.

Pictures are embedded as copies scaled to the screen, up to each section's bound; each is linked to its file beside the report.
The page is laid out by the templates beside this file, the same for every run; values are escaped there, all of them.
"""

from __future__ import annotations

import base64
import hashlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...stores.files import write_whole
from ...stores.remote import to_path
from ...stores.shown import shown
from .numbers import missing, number, percent, tint
from .page import LOOK_FIRST, ReportPage, code_spans
from .page_room import MAX_LINKS, embedded_counts, embedded_pictures, held_rows
from .palette import hexadecimal
from .short_names import distinct_names

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
"""Where the templates and the stylesheet lie: packed with the code."""
MAX_CAUTIONS = 7
"""Cautions that are open at the head of a page; further ones are folded away."""


def write_report(path: Path, page: ReportPage) -> Path:
    """Write the page as one HTML file, whole or not at all; all text from users and files is escaped."""
    path = to_path(path)
    write_whole(path, report_html(page, folder=path.parent).encode("utf-8"))
    return path


def report_html(page: ReportPage, *, folder: Path) -> str:
    """The page as HTML, with links as seen from `folder`."""
    stylesheet = (TEMPLATES / "report.css").read_text("utf-8")
    script = (TEMPLATES / "levels.js").read_text(
        "utf-8"
    )  # runs by its hash alone; without a view of levels it is left out
    template = _environment(folder, page).get_template("report.html.jinja")
    render = partial(template.render, page=page, stylesheet=stylesheet, script=script)
    without = render(copies=[[None] * count for count in embedded_counts(page.sections)])
    return render(copies=embedded_pictures(page, len(without.encode("utf-8"))))


def _environment(folder: Path, page: ReportPage) -> Environment:
    """The jinja environment of a page: all values are escaped, and an undefined name is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    short = {name: text for name, text in distinct_names(page.names).items() if len(text) < len(name)}
    environment.filters |= {
        "code_spans": lambda text: code_spans(shown(text)),
        "held_rows": held_rows,
        "hexadecimal": hexadecimal,
        "link": partial(_link, folder=folder),
        "number": number,
        "percent": percent,
        "short": short.__getitem__,
        "sha256": lambda text: base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii"),
        "tint": tint,
    }
    environment.tests |= {"missing": missing, "shortened": short.__contains__}
    environment.globals |= {"look_first": LOOK_FIRST, "max_cautions": MAX_CAUTIONS, "max_links": MAX_LINKS}
    return environment


def _shown(value: object) -> object:
    """A value of the template as people may see it; markup of the templates themselves stays."""
    return shown(value) if type(value) is str else value


def _link(path: Path, *, folder: Path) -> str:
    """The address of a file as seen from `folder`."""
    return quote(os.path.relpath(str(path), str(folder)).replace(os.sep, "/"))
