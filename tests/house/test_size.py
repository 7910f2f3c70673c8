"""Files stay short: a file has one idea, and a reader sees all of it."""

from __future__ import annotations

from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
MAX_LINES = 300
MAX_MEDIAN = 115


def lengths() -> dict[str, int]:
    """Lines of every module of the package; an __init__ that only says what its folder is does not count."""
    paths = [path for room in ("cli", "engine", "models", "stores") for path in (ROOT / room).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in paths}
    return {name: lines for name, lines in found.items() if not (name.endswith("__init__.py") and lines < 5)}


def test_no_file_is_long() -> None:
    assert not {name: lines for name, lines in lengths().items() if lines > MAX_LINES}


def test_most_files_are_short() -> None:
    assert median(lengths().values()) <= MAX_MEDIAN
