"""summary: the head of a report as Markdown: what was found, warnings, and what the page holds."""

from __future__ import annotations

import re
from pathlib import Path

from ...stores.files import write_whole
from ...stores.shown import shown
from .page import LOOK_FIRST, ReportPage, code_spans


def write_summary(path: Path, page: ReportPage, report: str) -> Path:
    """Write title, headline, facts, warnings and headings of a page, which is the file `report` beside it."""
    lines = [f"# {plain(page.title)}", "", plain(page.subtitle), ""]
    warnings = [f"* **{plain(one.headline)}** {plain(one.text)}".rstrip() for one in page.cautions]
    lines += [f"## {LOOK_FIRST}", "", *warnings, ""] if warnings else []
    lines += ["| | |", "|---|---|", *(f"| {plain(name)} | {plain(value)} |" for name, value in page.facts), ""]
    headings = ", ".join(plain(section.heading) for section in page.sections if not section.folded)
    lines += [f"In [{report}]({report}): {headings}.", "", plain(page.footer)]
    write_whole(path, ("\n".join(lines).strip() + "\n").encode())
    return path


def plain(text: str) -> str:
    """A text of a user or a file in one line of Markdown, which it does not mark up, but for code between two backticks.

    >>> plain("a|b <i>*c*"), plain("one\\ntwo"), plain("`a_b` of c_d")
    ('a\\\\|b \\\\<i\\\\>\\\\*c\\\\*', 'one two', '`a_b` of c\\\\_d')
    """
    parts = code_spans(shown(" ".join(text.split())))
    return "".join(f"`{part}`" if is_code else re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", part) for part, is_code in parts)
