"""logfile: writes a run's messages to log.txt in OUT. Objects cannot be appended to, so object stores get a copy per minute."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import SettingsError, TileEngineError
from ...stores.remote import ObjectPath
from ...stores.shown import shown

SEND_SECONDS = 60.0
"""Seconds between two copies of the log in an object store."""


@contextmanager
def log_to(out: Path) -> Iterator[None]:
    """Context in which tile-engine's log messages go to log.txt only."""
    logger = logging.getLogger("tile_engine")
    path = out / "log.txt"
    handler: logging.Handler
    if isinstance(path, ObjectPath):
        handler = _Sent(path)
    else:
        check_log(out)
        handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(_Shown("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    before, logger.propagate = logger.propagate, False
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.propagate = before


def check_log(out: Path) -> None:
    """Raises SettingsError (E_FOREIGN) where the log would be written to another file."""
    path = out / "log.txt"
    if not isinstance(path, ObjectPath) and path.is_symlink():
        raise SettingsError(
            f"{path} is a symbolic link to {path.readlink()}: the log would be appended to that file. Remove "
            "the link, or choose another folder with --out.",
            "E_FOREIGN",
        )


class _Shown(logging.Formatter):
    """Messages are one line each, but for indented further lines; tracebacks stay as they are."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return shown(super().formatMessage(record))


class _Sent(logging.Handler):
    """Logging handler for object stores: appends to the earlier log in memory, and uploads the whole log when it grew."""

    def __init__(self, path: ObjectPath) -> None:
        super().__init__()
        self._path = path
        self._lines: list[str] = []
        self._sent = 0
        self._stop = threading.Event()
        self._sender = threading.Thread(target=self._run, name="log", daemon=True)
        try:
            self._before = path.read_text(errors="replace")
        except FileNotFoundError:
            self._before = ""
        self._sender.start()

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record) + "\n")

    def close(self) -> None:
        self._stop.set()
        self._sender.join()
        self._send()
        super().close()

    def _run(self) -> None:
        while not self._stop.wait(SEND_SECONDS):
            self._send()

    def _send(self) -> None:
        count = len(self._lines)
        if count == self._sent:
            return
        with suppress(TileEngineError):  # a failed upload must not end the run; it is retried a minute later
            self._path.write_text(self._before + "".join(self._lines[:count]))
            self._sent = count
