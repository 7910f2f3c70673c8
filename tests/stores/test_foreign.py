"""The border to parsers of others: what they raise becomes ours, and nothing else does."""

from __future__ import annotations

import pytest

from tile_engine.errors import SlideError, TileError
from tile_engine.stores.foreign import foreign


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


def test_long_texts_of_several_lines_are_one_short_line() -> None:
    with pytest.raises(SlideError) as caught, foreign(fault):
        raise ValueError("a\n" * 1000)
    assert "\n" not in caught.value.message and len(caught.value.message) < 400
