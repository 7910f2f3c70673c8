"""log.txt: what earlier runs said stays, what this one says comes behind it, on disk and in a bucket."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from tile_engine.engine.runtime import logfile
from tile_engine.engine.runtime.logfile import log_to
from tile_engine.errors import UnfinishedError
from tile_engine.stores.remote import ObjectPath, to_path

log = logging.getLogger("tile_engine")


@pytest.fixture(params=["disk", "object store"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path if request.param == "disk" else to_path(request.getfixturevalue("lab").url) / "out"


def test_runs_are_logged_one_behind_the_other(out: Path) -> None:
    for word in ("first", "second"):
        with log_to(out):
            log.warning("the %s run: ü", word)
    with log_to(out):
        pass
    lines = (out / "log.txt").read_text().splitlines()
    assert [line.split(" WARNING ")[1] for line in lines] == ["the first run: ü", "the second run: ü"]


def test_a_long_run_is_heard_before_it_ends_and_a_busy_store_does_not_end_it(
    lab: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = to_path(lab.url) / "out"  # type: ignore[attr-defined]
    monkeypatch.setattr(logfile, "SEND_SECONDS", 0.05)
    write, refusals = ObjectPath.write_text, [UnfinishedError("busy"), UnfinishedError("busy")]

    def busy_at_first(path: ObjectPath, text: str) -> int:
        if refusals:
            raise refusals.pop()
        return write(path, text)

    monkeypatch.setattr(ObjectPath, "write_text", busy_at_first)
    with log_to(out):
        log.warning("half way")
        limit = time.monotonic() + 30
        while not (out / "log.txt").exists():
            assert time.monotonic() < limit
            time.sleep(0.05)
        assert not refusals and "half way" in (out / "log.txt").read_text()
