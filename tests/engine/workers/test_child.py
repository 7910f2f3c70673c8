"""Child: it is as its parent, wherever that was started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tile_engine.engine.images.look import inspect_slides_in_child
from tile_engine.engine.workers.child import SilentError, each


def test_files_of_the_working_folder_are_not_taken_for_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('a file beside the slides was run')")
    monkeypatch.chdir(tmp_path)
    (look,) = each(inspect_slides_in_child, [["nothing.tif", None, ""]], 60)
    assert "nothing.tif" in look["error"][0]


def test_a_child_that_gives_no_answer_in_time_has_its_own_code() -> None:
    """As one that opens a slide on a disk that does not answer."""
    (end,) = each(inspect_slides_in_child, [["nothing.tif", None, ""]], 0.0)
    assert isinstance(end, SilentError) and end.code == "E_TIMEOUT"
