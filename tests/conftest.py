"""Fixtures for all rooms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("TILE_ENGINE_DATA") or Path(__file__).parent.parent / ".." / "shared" / "data")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real slides and bad files: TILE_ENGINE_DATA, else ../shared/data beside the repository."""
    if not (DATA / "wsi").is_dir():
        reason = f"no test data in {DATA.resolve()}: set TILE_ENGINE_DATA to the folder that holds wsi/, bad/, ngff/"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return DATA.resolve()
