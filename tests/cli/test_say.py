"""What people read: no name of a file commands a terminal, forges a line of a log, or turns the text of a page."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tile_engine.cli.display import Display
from tile_engine.cli.say import say
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runtime.logfile import log_to
from tile_engine.engine.show.page import ReportPage, Section
from tile_engine.engine.show.report import report_html
from tile_engine.errors import SlideError
from tile_engine.stores.slides.file_head import not_a_slide

NAME = "a\nerror [E_X]: forged\x1b[2J\u202egpj.svs"
SHOWN = "a\\nerror [E_X]: forged\\x1b[2J\\u202egpj.svs"


def test_names_are_shown_with_escapes_on_both_streams(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"  {NAME}: 3 x 3")
    say(f"workers:\n  {NAME}", error=True)
    assert tuple(capsys.readouterr()) == (f"  {SHOWN}: 3 x 3\n", f"workers:\n  {SHOWN}\n")


def test_events_show_names_with_escapes_and_as_json_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    events = [
        Event("start", NAME),
        Event("rejected", NAME),
        Event("note", NAME),
        Event("progress", NAME, done=1, total=1),
    ]
    with Display() as show:
        for event in events:
            show(event)
    out, err = capsys.readouterr()
    assert out == f"results: {SHOWN}\n" and err.count(SHOWN) == 3 and "\x1b" not in err and "\nerror" not in err
    with Display(as_json=True) as show:
        show(Event("rejected", NAME))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["text"] == NAME


def test_the_log_has_a_line_a_message(tmp_path: Path) -> None:
    with log_to(tmp_path):
        logging.getLogger("tile_engine").warning("rejected %s", NAME)
    assert (tmp_path / "log.txt").read_text().count("\n") == 1
    assert SHOWN in (tmp_path / "log.txt").read_text()


def test_a_report_shows_names_with_escapes(tmp_path: Path) -> None:
    html = report_html(ReportPage(NAME, sections=(Section(NAME, (NAME,)),)), folder=tmp_path)
    assert html.count(SHOWN) >= 4 and "\x1b" not in html and "\u202e" not in html


def test_no_byte_of_a_file_that_is_no_slide_goes_into_the_message() -> None:
    error: SlideError = not_a_slide(Path("a.svs"), b"root:x:0:0:secret:/root:/bin/bash\n")
    assert "text" in error.message and "root" not in error.message
