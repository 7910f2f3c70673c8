"""Films of another task stand beside those of the run, marked; a film in both lists is one of the run itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tile_engine.engine.images.modality import FILMS
from tile_engine.engine.runs.classify.settings import ClassifySettings


def test_films_of_the_other_list_have_the_column_task_and_keep_their_own(tmp_path: Path) -> None:
    for name in "abc":
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "own.csv").write_text("path,label\na.png,normal\nb.png,ill\n")
    (tmp_path / "other.csv").write_text("path,label\nb.png,up\nc.png,down\n")
    settings = ClassifySettings(pretrain=str(tmp_path / "other.csv"))
    entries = {entry.path.name: entry.extra for entry in FILMS.find(str(tmp_path / "own.csv"), settings).entries}
    assert entries == {
        "a.png": {"label": "normal"},
        "b.png": {"label": "ill"},
        "c.png": {"label": "down", "task": "pretrain"},
    }
    assert len(FILMS.find(str(tmp_path / "own.csv"), ClassifySettings()).entries) == 2
