"""A server on a finished run, in this process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from view_client import Client, client_of


@pytest.fixture(scope="module")
def client(finished: Callable[..., Any]) -> Iterator[Client]:
    """Of a run on three slides, read-only."""
    with client_of(finished("cluster", "slides").out) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    path = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    if path is None:
        assert os.environ.get("CI", "").lower() != "true", "CI needs a chromium"
        pytest.skip("no chromium here")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()
