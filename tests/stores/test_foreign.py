"""The border to parsers of others: what they raise becomes ours, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tile_engine.errors import SlideError, TileError
from tile_engine.stores.foreign import foreign
from tile_engine.stores.frame import Box
from tile_engine.stores.slides import picture_reader, reader
from tile_engine.stores.volumes import nifti_reader
from tile_engine.stores.volumes import reader as volume_reader


def fault(why: str) -> SlideError:
    return SlideError(f"a.tif: {why}", "E_UNREADABLE")


@pytest.mark.parametrize("raised", [KeyError("axes"), IndexError(), OverflowError("too large"), RecursionError("deep")])
def test_what_a_parser_raises_becomes_an_error_of_ours_that_keeps_its_cause(raised: Exception) -> None:
    with pytest.raises(SlideError, match=type(raised).__name__) as caught, foreign(fault):
        raise raised
    assert caught.value.__cause__ is raised


@pytest.mark.parametrize("raised", [TileError("a tile"), MemoryError(), KeyboardInterrupt(), SystemExit(2)])
def test_errors_of_ours_and_what_ends_a_process_pass(raised: BaseException) -> None:
    with pytest.raises(type(raised)) as caught, foreign(fault):
        raise raised
    assert caught.value is raised


def test_texts_that_no_terminal_takes_are_escaped() -> None:
    with pytest.raises(SlideError) as caught, foreign(fault):
        raise ValueError("level \ud800")
    assert "level \\ud800" in caught.value.message.encode().decode()


def test_long_texts_of_several_lines_are_one_short_line() -> None:
    with pytest.raises(SlideError) as caught, foreign(fault):
        raise ValueError("a\n" * 1000)
    assert "\n" not in caught.value.message and len(caught.value.message) < 400


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def raising(error: BaseException) -> Callable[..., Any]:
    def raises(*_: Any, **__: Any) -> Any:
        raise error

    return raises


def test_what_a_slide_reader_did_not_foresee_rejects_the_slide_or_costs_a_tile(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reader.open_slide(picture, 0.5) as slide:
        monkeypatch.setattr(picture_reader.PicturePixels, "read", raising(KeyError("x")))
        with pytest.raises(TileError, match="KeyError"):
            slide.read(Box((0, 0), (8, 8)))
    monkeypatch.setattr(picture_reader, "_header", raising(KeyError("x")))
    with pytest.raises(SlideError, match=r"a\.png.*KeyError") as caught:
        reader.open_slide(picture, 0.5)
    assert caught.value.code == "E_UNREADABLE" and isinstance(caught.value.__cause__, KeyError)
    monkeypatch.setattr(picture_reader, "_header", raising(MemoryError()))
    with pytest.raises(MemoryError):
        reader.open_slide(picture, 0.5)


def test_what_a_volume_reader_did_not_foresee_rejects_the_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nibabel

    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(np.random.default_rng(0).random((5, 6, 7), np.float32), np.eye(4)), path)
    with volume_reader.open_volume(path) as volume:
        monkeypatch.setattr(volume_reader.Volume, "_finite", staticmethod(raising(KeyError("x"))))
        with pytest.raises(TileError, match="KeyError"):
            volume.read(Box((0, 0, 0), (7, 6, 5)))
    monkeypatch.setattr(nifti_reader, "_nifti", raising(KeyError("x")))
    with pytest.raises(SlideError, match=r"a\.nii.*KeyError"):
        volume_reader.open_volume(path)
