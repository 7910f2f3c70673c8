"""A server on a finished run, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from view_client import Client, client_of


@pytest.fixture(scope="module")
def client(finished: Callable[..., Any]) -> Iterator[Client]:
    """Of a run on three slides, read-only."""
    with client_of(finished("cluster", "slides").out) as found:
        yield found
