"""Machine: what a process keeps of its memory."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator

import pytest

from tile_engine.engine.compute import machine

USERS = ("MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


class _Library:
    def __init__(self) -> None:
        self.set: dict[int, int] = {}

    def mallopt(self, parameter: int, value: int) -> int:
        self.set[parameter] = value
        return 1


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Library]:
    library = _Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in USERS:
        monkeypatch.delenv(name, raising=False)
    machine.keep_freed_memory.cache_clear()
    yield library
    machine.keep_freed_memory.cache_clear()


def test_a_process_keeps_freed_memory_for_the_next_block(library: _Library) -> None:
    machine.keep_freed_memory()
    assert library.set == {-1: 2**28, -3: 2**25}


@pytest.mark.parametrize("name", USERS)
def test_a_users_own_threshold_stays(library: _Library, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "65536")
    machine.keep_freed_memory()
    assert not library.set


def test_a_library_without_the_parameter_is_left_alone(library: _Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_Library, "mallopt")
    machine.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    machine.keep_freed_memory.cache_clear()
    machine.keep_freed_memory()
    assert not library.set
