"""Links lead somewhere: no file names an address on a host that is not known to exist."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]

KNOWN_HOSTS = {
    "distributed.dask.org",  # documentation of dask.distributed
    "download.pytorch.org",  # torch's builds for the CPU
}
"""Add a host once a link on it has been opened; a host where anybody can own a path (github.com) needs its path here too."""

ADDRESS = re.compile(r"https?://[^\s)\"'`>\]]+")
FILES = [
    *(ROOT / name for name in ("README.md", "pyproject.toml", "Makefile", "constraints.txt")),
    *(path for path in sorted((ROOT / "docs").rglob("*")) if path.suffix in (".md", ".yaml", ".py")),
    *(
        path
        for room in ("cli", "engine", "models", "stores", "benchmarks")
        for path in sorted((ROOT / room).rglob("*.py"))
    ),
]


def unknown(text: str) -> list[str]:
    """Addresses of `text` that are neither on a known host nor on this machine."""
    hosts = KNOWN_HOSTS | {"127.0.0.1", "localhost"}
    return [address for address in ADDRESS.findall(text) if urlsplit(address).hostname not in hosts]


def test_every_address_is_on_a_known_host() -> None:
    found = {path.relative_to(ROOT).as_posix(): unknown(path.read_text()) for path in FILES}
    assert not {name: addresses for name, addresses in found.items() if addresses}


@pytest.mark.parametrize("host", sorted(KNOWN_HOSTS))
def test_every_known_host_is_linked_to(host: str) -> None:
    assert any(host in path.read_text() for path in FILES), f"{host} is listed, and no file links to it"


def test_an_unknown_address_is_found() -> None:
    text = "[docs](https://github.com/nobody/nothing/tree/main), http://127.0.0.1:80/x and https://download.pytorch.org/whl"
    assert unknown(text) == ["https://github.com/nobody/nothing/tree/main"]
