"""Child: it is as its parent, wherever that was started."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.images.look import inspect_slides_in_child
from tile_engine.engine.workers import child
from tile_engine.engine.workers.child import SilentError, dismiss_child, each, kept_child


def test_files_of_the_working_folder_are_not_taken_for_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('a file beside the slides was run')")
    monkeypatch.chdir(tmp_path)
    (look,) = each(inspect_slides_in_child, [["nothing.tif", None, ""]], 60)
    assert "nothing.tif" in look["error"][0]


def test_a_child_that_gives_no_answer_in_time_has_its_own_code() -> None:
    """As one that opens a slide on a disk that does not answer."""
    (end,) = each(inspect_slides_in_child, [["nothing.tif", None, ""]], 0.0)
    assert isinstance(end, SilentError) and end.code == "E_TIMEOUT"


def test_one_child_does_several_works_until_it_is_dismissed(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []
    real = subprocess.Popen

    def start(*words: Any, **options: Any) -> subprocess.Popen[str]:
        started.append(real(*words, **options))
        return started[-1]

    monkeypatch.setattr(child.subprocess, "Popen", start)

    def look() -> str:
        (answer,) = each(inspect_slides_in_child, [["nothing.tif", None, ""]], 60)
        return str(answer["error"][0])

    with kept_child(inspect_slides_in_child.__module__):
        assert look() == look() and "nothing.tif" in look()
        assert len(started) == 1
        started[0].kill()
        started[0].wait()
        assert "nothing.tif" in look(), "a dead one is not used again"
        assert len(started) == 2
        dismiss_child()
        assert started[1].poll() is not None
        look()
        assert len(started) == 3 and started[2].poll() is not None, "none is kept any more"
