"""What the source never does, so that it needs no defence: it fetches nothing from the network, and it unpacks no archive."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIENTS = (
    "urllib.request",
    "http.client",
    "ftplib",
    "requests",
    "httpx",
    "aiohttp",
    "huggingface_hub",
    "wandb",
    "pooch",
)
"""Modules that fetch or upload. Objects in buckets, which the user names, are read by obstore alone."""
UNPACKERS = ("tarfile", "shutil.unpack_archive", "extractall")
"""Modules and methods that write the members of an archive to a disk, wherever their names lead."""


def reached(source: str) -> Iterator[str]:
    """Names of clients that a module imports, and of what would unpack an archive."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (n for n in names if n in UNPACKERS or any(n == c or n.startswith(f"{c}.") for c in CLIENTS))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in UNPACKERS:
            yield node.func.attr
        elif isinstance(node, ast.Attribute) and node.attr == "unpack_archive":
            yield "shutil.unpack_archive"


def test_nothing_is_fetched_and_no_archive_is_unpacked() -> None:
    rooms = (ROOT / room for room in ("cli", "engine", "models", "stores"))
    found = {
        path.relative_to(ROOT).as_posix(): names
        for room in rooms
        for path in room.rglob("*.py")
        if (names := list(reached(path.read_text())))
    }
    assert not found


@pytest.mark.parametrize(
    "source",
    ["import requests", "from urllib import request", "archive.extractall(out)", "from huggingface_hub import x"],
)
def test_such_calls_are_found(source: str) -> None:
    assert list(reached(source))
