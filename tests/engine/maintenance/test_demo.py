"""The demo keeps to a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tile_engine.engine.maintenance import demo
from tile_engine.errors import SettingsError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in demo.NAMES:
            (folder / name).write_bytes(b"slide")

    monkeypatch.setattr(demo, "make_slides", make)


def test_slides_are_made_in_a_new_folder_and_kept(tmp_path: Path) -> None:
    slides = demo.demo_slides(tmp_path / "demo")
    assert sorted(path.name for path in slides.iterdir()) == list(demo.NAMES)
    (slides / demo.NAMES[0]).write_bytes(b"mine")
    (tmp_path / "demo" / "results").mkdir()
    demo.demo_slides(tmp_path / "demo")
    assert (slides / demo.NAMES[0]).read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["thesis.docx", "slides/case.svs"])
def test_a_folder_with_anything_else_in_it_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(SettingsError, match=name) as caught:
        demo.demo_slides(tmp_path)
    assert caught.value.code == "E_OUT" and not (tmp_path / "slides" / demo.NAMES[0]).exists()
